// A recipe of this project for models that are elastic in width and in tokens: each step draws a width, a size and a rate of
// tokens. So all of them are trained in one set of weights, at the price of HydraViT's one pass per step.
//
// A step that drew a rate may run a second pass of all tokens before, which learns the labels and teaches the drawn one, as
// SuperViT does (--token-teacher).
#pragma once

#include "train/recipes/views.h"

namespace hv::train {

struct JointOptions {
  bool token_teacher = false;  // a pass of all tokens of the same width and size teaches a drawn rate of them
  double token_labels = 1;     // weight of labels beside the teacher
};

class JointRecipe : public Recipe {
 public:
  JointRecipe(models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const JointOptions& options,
              double smoothing, uint64_t seed);
  std::vector<models::Subnet> trains(int64_t step) const override;  // the teacher, if there is one, and the drawn one
  double share(const models::Subnet& subnet) const override;
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override;

 private:
  models::ElasticModel& model_;
  std::vector<std::vector<Rates>> views_;
  int64_t count_;
  JointOptions options_;
  double smoothing_;
  uint64_t seed_;
};

RecipeKind joint_recipe();

}  // namespace hv::train
