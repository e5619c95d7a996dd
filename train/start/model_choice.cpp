#include "train/start/model_choice.h"

#include <algorithm>

#include "models/config_reader.h"
#include "train/choice/few.h"

namespace hv::train {
namespace {

// The entries that only some kinds have (models::Setting). An option for an entry that this kind does not have is an error.
// What is allowed for one entry may depend on another (bands of --stages), so they are checked together.
void set_entries(const TrainOptions& o, models::Config& config) {
  const models::Kind& kind = models::kind_of(config);
  for (const auto& setting : o.settings) {
    const std::string &name = setting.first, &value = setting.second;
    if (value == kAsPreset) continue;
    const bool known = std::any_of(kind.settings.begin(), kind.settings.end(), [&](const auto& s) { return s.name == name; });
    HV_CHECK_USAGE(known, "--", option_of(name), ": preset ", o.preset, " has none");
    config[name] = value;
  }
  try {
    models::costs(config);
  } catch (const Error& error) {
    const std::string text = error.what();
    for (const models::Setting& setting : kind.settings) {
      const std::string entry = concat("model: ", setting.name, ": ");
      if (text.starts_with(entry)) fail(Fault::usage, "--", option_of(setting.name), ": ", text.substr(entry.size()));
    }
    fail(Fault::usage, "--preset ", o.preset, ": ", text);
  }
}

}  // namespace

models::Config model_config(const TrainOptions& o, int64_t classes) {
  models::Config config = base_model(o, classes);
  const bool from_file = o.init != "trunc_normal" && o.init != "reference";
  const std::map<std::string, std::string> wanted = {{"drop_path", models::text_of(o.drop_path)},
                                                     {"dropout", models::text_of(o.dropout)},
                                                     {"init", from_file ? "trunc_normal" : o.init}};
  const TrainOptions plain;
  const bool all_plain = o.drop_path == plain.drop_path && o.dropout == plain.dropout && o.init == plain.init;
  for (const auto& [name, value] : wanted) {
    HV_CHECK_USAGE(config.count(name) > 0 || all_plain, "--preset: ", o.preset, " has no --drop-path, --dropout and --init");
    if (config.count(name) > 0) config[name] = value;
  }
  set_entries(o, config);
  return config;
}

void check_model(const TrainOptions& o) {
  const models::Config config = model_config(o, 10);
  std::vector<models::Subnet> all;
  for (const models::Cost& cost : models::costs(config)) all.push_back(cost.subnet);
  if (!o.subnets.all()) {
    HV_CHECK_USAGE(all.size() > 1, "--", o.subnets.by_heads() ? kSubnetsOption : kNamesOption, ": preset ", o.preset,
                   " has none");
  }
  few_subnets(choose_subnets(all, o.subnets, concat("preset ", o.preset, ", which runs with ")), o.eval_subnets);
}

}  // namespace hv::train
