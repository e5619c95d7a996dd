// The seam between the training loop and a way of training: a recipe turns (model, batch, step) into the loss to differentiate.
// Distilling, multi-pass and searching systems are other recipes; the loop, the checkpoint and the report stay as they are.
//
// Invariant: a recipe keeps no state between steps; randomness comes from (seed, step). So runs resume exactly.
#pragma once

#include "core/ops.h"
#include "data/loader.h"
#include "models/elastic.h"
#include "train/sampler.h"

namespace hv::train {

class Recipe {
 public:
  virtual ~Recipe() = default;
  // The largest subnetwork the step trains: for the report, and for updating live weights alone.
  virtual const models::Subnet& subnet(int64_t step) const = 0;
  // How often that will be this one, 0 to 1.
  virtual double share(const models::Subnet& subnet) const = 0;
  virtual Tensor loss(models::ElasticModel& model, const data::Batch& batch, int64_t step) const = 0;
};

// HydraViT's: draw a width, run it, cross-entropy with soft targets.
class HydraViTRecipe : public Recipe {
 public:
  HydraViTRecipe(std::vector<models::Subnet> widths, WidthSampler sampler, double smoothing)
      : widths_(std::move(widths)), sampler_(std::move(sampler)), smoothing_(smoothing) {}
  const models::Subnet& subnet(int64_t step) const override { return widths_[static_cast<size_t>(sampler_.draw(step))]; }
  double share(const models::Subnet& subnet) const override {
    for (size_t i = 0; i < widths_.size(); ++i) {
      if (widths_[i].key == subnet.key) return sampler_.probability(static_cast<int64_t>(i));
    }
    return 0;
  }
  Tensor loss(models::ElasticModel& model, const data::Batch& batch, int64_t step) const override {
    return cross_entropy(model.forward(batch.images, subnet(step)), batch.targets, smoothing_);
  }

 private:
  std::vector<models::Subnet> widths_;
  WidthSampler sampler_;
  double smoothing_;
};

}  // namespace hv::train
