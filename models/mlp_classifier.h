// The smallest model: two linear layers with a GELU between them, on flattened images. It is an ElasticModel with a single
// subnetwork, so it is trained, evaluated and saved as every other model is. It also shows what a model brings: its
// configuration, its row of models/kinds.h, its layers.
#pragma once

#include <memory>
#include <vector>

#include "models/kinds.h"
#include "nn/layers.h"

namespace hv::models {

struct MlpConfig {
  int64_t image = 32;  // pixels per side
  int64_t channels = 3;
  int64_t hidden = 256;
  int64_t classes = 10;
  int64_t inputs() const { return channels * image * image; }
};
Config to_config(const MlpConfig& config);
MlpConfig mlp_from_config(const Config& config);
Kind mlp_kind();

class MlpClassifier : public ElasticModel {
 public:
  MlpClassifier(const MlpConfig& config, uint64_t seed);

  Tensor forward(const Tensor& images, const Subnet&) override {
    const Tensor flat = images.reshape({images.size(0), -1});  // [B, C H W]
    return fc2_(gelu(fc1_(flat)));
  }

  const std::vector<Subnet>& subnets() const override { return subnets_; }
  std::vector<Tensor> active(const Subnet&) const override;
  int64_t params(const Subnet&) const override { return parameter_count(); }
  int64_t macs(const Subnet&) const override { return config_.inputs() * config_.hidden + config_.hidden * config_.classes; }
  std::unique_ptr<ElasticModel> extract(const Subnet&) const override;
  Config config() const override { return to_config(config_); }
  int64_t classes() const override { return config_.classes; }
  int64_t image_size() const override { return config_.image; }

 private:
  MlpConfig config_;
  std::vector<Subnet> subnets_;
  nn::Init init_;
  nn::Linear fc1_, fc2_;
};

}  // namespace hv::models
