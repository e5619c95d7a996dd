#include "models/kinds.h"

#include <set>

#include "models/branches.h"
#include "models/hydravit.h"
#include "models/mlp_classifier.h"
#include "models/scala.h"
#include "models/slim_search.h"
#include "models/supervit.h"
#include "models/thinking.h"

namespace hv::models {

std::vector<Kind>& kinds() {
  static std::vector<Kind> table = {hydravit_kind(), mlp_kind(),         scala_kind(), thinking_kind(),
                                    supervit_kind(), slim_search_kind(), slim_kind(),  branches_kind()};
  return table;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Kind& kind : kinds()) {
    for (const Preset& preset : kind.presets) names.push_back(preset.name);
  }
  return names;
}

Config named_model(const std::string& name, int64_t classes) {
  std::string known;
  for (const Kind& kind : kinds()) {
    for (const Preset& preset : kind.presets) {
      if (preset.name == name) {
        Config config = preset.config;
        if (classes > 0) config["classes"] = std::to_string(classes);
        return config;
      }
      known += (known.empty() ? "" : ", ") + preset.name;
    }
  }
  fail(Fault::usage, "preset: unknown name '", name, "'; known: ", known);
}

const Kind& kind_of(const Config& config) {
  const auto found = config.find("model");
  HV_CHECK_INPUT(found != config.end(), "model: the configuration does not say which model it is");
  std::string known;
  for (const Kind& kind : kinds()) {
    if (kind.name == found->second) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  fail(Fault::input, "model: unknown kind '", found->second, "'; known: ", known);
}

std::vector<Cost> costs(const Config& config) { return kind_of(config).costs(config); }

std::vector<LayerSizes> layer_sizes(const Config& config) {
  const Kind& kind = kind_of(config);
  return kind.sizes ? kind.sizes(config) : std::vector<LayerSizes>{};
}

int64_t all_params(const std::vector<Cost>& costs) {
  int64_t sum = costs.back().params;
  // Narrower subnetworks use parts of what wider ones do, so the last one to use a classifier or a table uses all of it.
  std::set<int64_t> heads = {costs.back().head}, tables = {costs.back().table};
  for (auto cost = costs.rbegin(); cost != costs.rend(); ++cost) {
    if (heads.insert(cost->head).second) sum += cost->head_params;
    if (tables.insert(cost->table).second) sum += cost->table_params;
  }
  return sum;
}

std::unique_ptr<ElasticModel> make_model(const Config& config, uint64_t seed) { return kind_of(config).make(config, seed); }

}  // namespace hv::models
