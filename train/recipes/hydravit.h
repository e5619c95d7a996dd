// The recipe of HydraViT (Haberer, Hojjat, Landsiedel 2024, section 3.3): each step draws one width and trains it with the
// cross-entropy of the labels.
#pragma once

#include "train/recipe.h"
#include "train/recipes/sampler.h"

namespace hv::train {

struct HydraViTOptions {
  std::string weights;  // how often each subnetwork is drawn, as "1,1,2"; empty: equally often
};

class HydraViTRecipe : public Recipe {
 public:
  HydraViTRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, WidthSampler sampler, double smoothing);
  std::vector<models::Subnet> trains(int64_t step) const override { return {drawn(step)}; }
  double share(const models::Subnet& subnet) const override;
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override;

 protected:
  const models::Subnet& drawn(int64_t step) const { return subnets_[static_cast<size_t>(sampler_.draw(step))]; }
  models::ElasticModel& model_;

 private:
  std::vector<models::Subnet> subnets_;
  WidthSampler sampler_;
  double smoothing_;
};

RecipeKind hydravit_recipe();

}  // namespace hv::train
