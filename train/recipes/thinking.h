// The recipe of ThinkingViT (Hojjat et al., CVPR 2026): each step runs all looks at a batch, one after another, and learns the
// mean of their losses. One graph holds all looks, because a look goes on from the one before it.
#pragma once

#include "train/recipe.h"

namespace hv::train {

class ThinkingRecipe : public Recipe {
 public:
  // A model whose subnetworks do not go on from one another is an error (Fault::usage).
  ThinkingRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, double smoothing);
  std::vector<models::Subnet> trains(int64_t) const override { return subnets_; }
  double share(const models::Subnet& subnet) const override { return learns(subnet) ? 1 : 0; }
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override;

 private:
  bool learns(const models::Subnet& subnet) const;
  models::ElasticModel& model_;
  std::vector<models::Subnet> subnets_;  // those that have a loss
  double smoothing_;
};

RecipeKind thinking_recipe();

}  // namespace hv::train
