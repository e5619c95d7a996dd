// The search of ViT-Slim (Chavan et al., CVPR 2022, section 3.2): labels, and an L1 penalty on the masks of a model of kind
// slim-search (models/slim_search.h), so that those that matter least go towards 0:
//     loss = base + w1 sum |zeta of attention| + w2 sum |zeta of the MLP| + w3 sum |tanh(patch_zeta)|
// Sums are plain ones, over all blocks. The authors' program divides the weights by the number of its processes, although
// gradients are averaged already: whoever compares with runs of theirs on N GPUs takes w / N.
// A weight of exactly 0 takes its family out of training, as theirs does: no gradient, no decay.
#pragma once

#include "models/slim_search.h"
#include "train/recipe.h"

namespace hv::train {

struct SlimOptions {
  double w1 = 2e-4, w2 = 5e-5, w3 = 1e-4;  // the paper's best
};

class SlimRecipe : public Recipe {
 public:
  // A model without masks is an error (Fault::usage).
  SlimRecipe(models::ElasticModel& model, const SlimOptions& options, double smoothing);
  std::vector<models::Subnet> trains(int64_t) const override { return model_.subnets(); }
  double share(const models::Subnet&) const override { return 1; }
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override;
  Tensor penalty() const;  // the three weighted sums

 private:
  models::SlimSearch& model_;
  SlimOptions options_;
  double smoothing_;
};

RecipeKind slim_recipe();

}  // namespace hv::train
