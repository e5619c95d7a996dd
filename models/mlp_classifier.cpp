#include "models/mlp_classifier.h"

namespace hv::models {

MlpClassifier::MlpClassifier(int64_t image, int64_t channels, int64_t hidden, int64_t classes, uint64_t seed)
    : image_(image),
      channels_(channels),
      hidden_(hidden),
      classes_(classes),
      subnets_{{"full", 1, hidden}},
      init_("reference", seed),
      fc1_(inputs(), hidden, init_),
      fc2_(hidden, classes, init_) {
  add_child("fc1", fc1_);
  add_child("fc2", fc2_);
}

std::vector<Tensor> MlpClassifier::active(const Subnet&) const {
  std::vector<Tensor> views;
  for (const nn::Parameter& p : parameters()) views.push_back(p.value);
  return views;
}

std::unique_ptr<ElasticModel> MlpClassifier::extract(const Subnet&) const {
  auto model = std::make_unique<MlpClassifier>(image_, channels_, hidden_, classes_, 0);
  NoGrad off;
  const auto from = parameters(), to = model->parameters();
  for (size_t i = 0; i < to.size(); ++i) to[i].value.copy_(from[i].value);
  return model;
}

Config MlpClassifier::config() const {
  return {{"model", "mlp"},
          {"image", std::to_string(image_)},
          {"channels", std::to_string(channels_)},
          {"hidden", std::to_string(hidden_)},
          {"classes", std::to_string(classes_)}};
}

}  // namespace hv::models
