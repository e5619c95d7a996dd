#include "models/plain_vit.h"

#include <algorithm>

#include "models/kinds.h"

namespace hv::models {

std::optional<PlainVit> plain_vit(const Config& config, int64_t width, const View& view) {
  const Kind& kind = kind_of(config);
  return kind.plain ? kind.plain(config, width, view) : std::nullopt;
}

std::optional<PlainVit> plain_vit(const Config& config, const Subnet& subnet) {
  const View view{static_cast<int64_t>(subnet.on(kSizeAxis).value_or(0)), subnet.on(kRateAxis).value_or(0)};
  return plain_vit(config, width_of(subnet), view);
}

int64_t width_of(const Subnet& subnet) {
  const std::optional<double> dim = subnet.on("dim");
  HV_CHECK(dim, "plain_vit: subnetwork ", subnet.name, " has no axis dim");
  return static_cast<int64_t>(*dim);
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
  if (kind.presets.empty()) return entries;
  for (const auto& [entry, ignored] : kind.presets[0].config) entries.push_back(entry);
  for (const Setting& setting : kind.settings) entries.push_back(setting.name);
  return entries;
}

std::vector<std::string> plain_presets() {
  std::vector<std::string> names;
  for (const Kind& kind : kinds()) {
    for (const Preset& preset : kind.presets) {
      if (kind.alone && plain_vit(preset.config)) names.push_back(preset.name);
    }
  }
  return names;
}

}  // namespace hv::models
