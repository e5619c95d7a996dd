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

struct MlpSizes {
  int64_t image, channels, hidden, classes;
};

MlpSizes mlp_sizes(const Config& config) {
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
  HV_CHECK_INPUT(config.size() == 5, "model: ", config.size(),
                 " entries, an mlp has 5: model, image, channels, hidden, classes");
  return {image, channels, hidden, classes};
}

const std::string& kind_of(const Config& config) {
  const auto found = config.find("model");
  HV_CHECK_INPUT(found != config.end(), "model: the configuration does not say which model it is");
  return found->second;
}

[[noreturn]] void unknown_kind(const std::string& kind) {
  fail(Fault::input, "model: unknown kind '", kind, "'; known: hydravit, mlp");
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

std::vector<Cost> costs(const Config& config) {
  const std::string& kind = kind_of(config);
  std::vector<Cost> all;
  if (kind == "hydravit") {
    const HydraViTConfig c = from_config(config);
    for (int64_t k = c.heads_min; k <= c.heads; ++k) {
      const int64_t macs = mac_count(c, k);
      all.push_back({{concat("heads=", k), k, k * c.head_dim}, parameter_count(c, k), macs, macs + layer_norm_macs(c, k)});
    }
    return all;
  }
  if (kind != "mlp") unknown_kind(kind);
  const MlpSizes s = mlp_sizes(config);
  const int64_t inputs = s.channels * s.image * s.image, macs = inputs * s.hidden + s.hidden * s.classes;
  all.push_back({{"full", 1, s.hidden}, macs + s.hidden + s.classes, macs, macs});
  return all;
}

std::unique_ptr<ElasticModel> make_model(const Config& config, uint64_t seed) {
  const std::string& kind = kind_of(config);
  if (kind == "hydravit") return std::make_unique<HydraViT>(from_config(config), seed);
  if (kind != "mlp") unknown_kind(kind);
  const MlpSizes s = mlp_sizes(config);
  return std::make_unique<MlpClassifier>(s.image, s.channels, s.hidden, s.classes, seed);
}

}  // namespace hv::models
