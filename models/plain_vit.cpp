#include "models/plain_vit.h"

#include <algorithm>

#include "models/kinds.h"

namespace hv::models {

std::optional<PlainVit> plain_vit(const Config& config, int64_t width) {
  const Kind& kind = kind_of(config);
  return kind.plain ? kind.plain(config, width) : std::nullopt;
}

int64_t width_of(const Subnet& subnet) {
  const auto dim = std::find_if(subnet.axes.begin(), subnet.axes.end(), [](const Axis& axis) { return axis.name == "dim"; });
  HV_CHECK(dim != subnet.axes.end(), "plain_vit: subnetwork ", subnet.name, " has no axis dim");
  return static_cast<int64_t>(dim->value);
}

Config model_that_is(const PlainVit& vit) {
  for (const Kind& kind : kinds()) {
    if (!kind.alone) continue;
    if (const std::optional<Config> config = kind.alone(vit, {})) return *config;
  }
  fail(Fault::input, "model: no kind is a vision transformer whose LayerNorms add ", vit.eps);
}

std::vector<std::string> entries_of(const std::string& name) {
  std::vector<std::string> entries;
  const Kind& kind = kind_of({{"model", name}});
  for (const auto& [entry, ignored] : kind.presets.at(0).config) entries.push_back(entry);
  for (const Setting& setting : kind.settings) entries.push_back(setting.name);
  return entries;
}

std::vector<std::string> plain_presets() {
  std::vector<std::string> names;
  for (const Kind& kind : kinds()) {
    for (const Preset& preset : kind.presets) {
      if (plain_vit(preset.config)) names.push_back(preset.name);
    }
  }
  return names;
}

}  // namespace hv::models
