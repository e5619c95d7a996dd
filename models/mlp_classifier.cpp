#include "models/mlp_classifier.h"

#include "models/config_reader.h"

namespace hv::models {
namespace {

constexpr int64_t kMostWeights = int64_t{1} << 29;

// Tables have a column for heads and one for the width: 1 and the hidden units.
std::vector<Subnet> whole(const MlpConfig& c) {
  return {{"heads1", "full", 0, {{"heads", 1}, {"dim", static_cast<double>(c.hidden), false}}}};
}

}  // namespace

Config to_config(const MlpConfig& c) {
  return {{"model", "mlp"},
          {"image", std::to_string(c.image)},
          {"channels", std::to_string(c.channels)},
          {"hidden", std::to_string(c.hidden)},
          {"classes", std::to_string(c.classes)}};
}

MlpConfig mlp_from_config(const Config& config) {
  ConfigReader read(config, "mlp");
  MlpConfig c;
  c.image = read.whole("image", 1, 512);
  c.channels = read.whole("channels", 1, 64);
  c.hidden = read.whole("hidden", 1, 65536);
  c.classes = read.whole("classes", 1, 65536);
  const int64_t weights = c.hidden * (c.inputs() + c.classes);
  HV_CHECK_INPUT(weights <= kMostWeights, "model: too large: ", weights, " weights, at most ", kMostWeights);
  read.finish();
  return c;
}

Kind mlp_kind() {
  Kind kind{"mlp", {{"mlp", to_config(MlpConfig{})}}, {}, {}};
  kind.costs = [](const Config& config) {
    const MlpConfig c = mlp_from_config(config);
    const int64_t macs = c.inputs() * c.hidden + c.hidden * c.classes;
    const auto inputs = static_cast<double>(c.inputs()), hidden = static_cast<double>(c.hidden);
    const auto classes = static_cast<double>(c.classes);
    const Need need{.forward = inputs + 3 * hidden + 2 * classes,
                    .training = 2 * inputs + 6 * hidden + 4 * classes,
                    .thread = 1 << 16,
                    .work = static_cast<double>(macs)};
    return std::vector<Cost>{{whole(c)[0], macs + c.hidden + c.classes, macs, macs, need}};
  };
  kind.make = [](const Config& config, uint64_t seed) {
    return std::make_unique<MlpClassifier>(mlp_from_config(config), seed);
  };
  return kind;
}

MlpClassifier::MlpClassifier(const MlpConfig& c, uint64_t seed)
    : config_(c),
      subnets_(whole(c)),
      init_("reference", seed),
      fc1_(c.inputs(), c.hidden, init_),
      fc2_(c.hidden, c.classes, init_) {
  add_child("fc1", fc1_);
  add_child("fc2", fc2_);
}

std::vector<Tensor> MlpClassifier::active(const Subnet&) const {
  std::vector<Tensor> views;
  for (const nn::Parameter& p : parameters()) views.push_back(p.value);
  return views;
}

std::unique_ptr<ElasticModel> MlpClassifier::extract(const Subnet&) const {
  auto model = std::make_unique<MlpClassifier>(config_, 0);
  NoGrad off;
  const auto from = parameters(), to = model->parameters();
  for (size_t i = 0; i < to.size(); ++i) to[i].value.copy_(from[i].value);
  return model;
}

}  // namespace hv::models
