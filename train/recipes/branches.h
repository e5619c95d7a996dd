// The recipe for labels that do not exclude each other: each step draws one width, as HydraViT's does, and trains every output
// of it (ElasticModel::outputs) with a loss per label. For models/branches.h these are the mixture, the branches and the
// aggregated head; a pass learns the mean of their losses.
#pragma once

#include "train/recipes/hydravit.h"

namespace hv::train {

struct BranchesOptions {
  std::string balance = "none";  // weights of rare labels: nn/balance.h
  double focal = 0;              // gamma of the focal loss; 0: binary cross-entropy
};

class BranchesRecipe : public HydraViTRecipe {
 public:
  // `counts`: of the training images; without any there is no balance.
  BranchesRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, WidthSampler sampler,
                 const BranchesOptions& options, const data::LabelCounts& counts);
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override;

 private:
  LabelWeights weights_;
  double gamma_;
};

RecipeKind branches_recipe();

}  // namespace hv::train
