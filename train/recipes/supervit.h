// The recipe of SuperViT (Lin et al., IJCV 2023, section 3.3): each step trains the largest size and a drawn one, each with all
// tokens and with a drawn rate of them. All tokens learn labels; fewer tokens learn from all tokens of the same size.
//
// On a model that has widths, too, a step draws one of these for its passes.
#pragma once

#include "train/recipes/views.h"

namespace hv::train {

class SuperViTRecipe : public Recipe {
 public:
  // Subnetworks that differ neither in size nor in rate are an error (Fault::usage).
  SuperViTRecipe(models::ElasticModel& model, const std::vector<models::Subnet>& subnets, double smoothing, uint64_t seed);
  std::vector<models::Subnet> trains(int64_t step) const override;  // in the order in which they run
  double share(const models::Subnet& subnet) const override;
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override { run(trains(step), batch, learn); }

  // The same passes through given subnetworks: of each size first the full one, then the others.
  void run(const std::vector<models::Subnet>& nets, const data::Batch& batch, const Learn& learn);

 private:
  models::ElasticModel& model_;
  std::vector<std::vector<Rates>> views_;
  double smoothing_;
  uint64_t seed_;
};

RecipeKind supervit_recipe();

}  // namespace hv::train
