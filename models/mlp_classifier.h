// The smallest model: two linear layers with a GELU between them, on flattened images. It is an ElasticModel with a single
// subnetwork, so it is trained, evaluated and saved as every other model is.
#pragma once

#include <memory>
#include <vector>

#include "models/elastic.h"
#include "nn/layers.h"

namespace hv::models {

class MlpClassifier : public ElasticModel {
 public:
  MlpClassifier(int64_t image, int64_t channels, int64_t hidden, int64_t classes, uint64_t seed);

  Tensor forward(const Tensor& images, const Subnet&) override {
    const Tensor flat = images.reshape({images.size(0), -1});  // [B, C H W]
    return fc2_(gelu(fc1_(flat)));
  }

  const std::vector<Subnet>& subnets() const override { return subnets_; }
  std::vector<Tensor> active(const Subnet&) const override;
  int64_t params(const Subnet&) const override { return parameter_count(); }
  int64_t macs(const Subnet&) const override { return inputs() * hidden_ + hidden_ * classes_; }
  std::unique_ptr<ElasticModel> extract(const Subnet&) const override;
  Config config() const override;
  int64_t classes() const override { return classes_; }
  int64_t image_size() const override { return image_; }

 private:
  int64_t inputs() const { return channels_ * image_ * image_; }
  int64_t image_, channels_, hidden_, classes_;
  std::vector<Subnet> subnets_;
  nn::Init init_;
  nn::Linear fc1_, fc2_;
};

}  // namespace hv::models
