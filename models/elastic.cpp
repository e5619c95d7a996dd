#include "models/elastic.h"

#include <charconv>

#include "models/hydravit.h"
#include "models/mlp_classifier.h"

namespace hv::models {

const Subnet& ElasticModel::subnet(int64_t key) const {
  std::string known;
  for (const Subnet& s : subnets()) {
    if (s.key == key) return s;
    known += (known.empty() ? "" : ", ") + std::to_string(s.key);
  }
  fail(Fault::usage, "heads: this model has no subnetwork ", key, "; it has ", known);
}

namespace {

std::unique_ptr<ElasticModel> make_mlp(const Config& config, uint64_t seed) {
  const auto number = [&](const char* name, int64_t most) {
    const auto found = config.find(name);
    HV_CHECK_INPUT(found != config.end(), "model: the configuration lacks '", name, "'");
    int64_t value = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    HV_CHECK_INPUT(error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= most, "model: ", name,
                   ": expected 1 to ", most, ", found '", text, "'");
    return value;
  };
  const int64_t image = number("image", 512), channels = number("channels", 64), hidden = number("hidden", 65536),
                classes = number("classes", 65536), most = int64_t{1} << 29;
  const int64_t weights = hidden * (channels * image * image + classes);
  HV_CHECK_INPUT(weights <= most, "model: too large: ", weights, " weights, at most ", most);
  HV_CHECK_INPUT(config.size() == 5, "model: ", config.size(), " entries, an mlp has 5: model, image, channels, hidden, classes");
  return std::make_unique<MlpClassifier>(image, channels, hidden, classes, seed);
}

}  // namespace

const std::vector<std::string>& model_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = preset_names();
    all.push_back("mlp");
    return all;
  }();
  return names;
}

Config named_model(const std::string& name, int64_t classes) {
  if (name == "mlp") {
    return {{"model", "mlp"}, {"image", "32"}, {"channels", "3"}, {"hidden", "256"}, {"classes", std::to_string(classes)}};
  }
  HydraViTConfig config = preset(name);
  config.classes = classes;
  return to_config(config);
}

std::unique_ptr<ElasticModel> make_model(const Config& config, uint64_t seed) {
  const auto found = config.find("model");
  HV_CHECK_INPUT(found != config.end(), "model: the configuration does not say which model it is");
  if (found->second == "hydravit") return std::make_unique<HydraViT>(from_config(config), seed);
  if (found->second == "mlp") return make_mlp(config, seed);
  fail(Fault::input, "model: unknown kind '", found->second, "'; known: hydravit, mlp");
}

}  // namespace hv::models
