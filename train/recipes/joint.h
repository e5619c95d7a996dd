// A recipe of this project for models that are elastic in width and in tokens: each step draws a width, a size and a rate of
// tokens, so that one set of weights learns all of them. Without a teacher, a step is that of the recipe hydravit.
//
// With --token-teacher, a step that drew less than all tokens first runs a pass of all tokens, which learns the labels and
// teaches the drawn subnetwork, as SuperViT does within a size.
#pragma once

#include "train/recipes/sampler.h"
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
  std::vector<models::Subnet> subnets_, full_;  // full_[i]: all tokens, at the width and size of subnets_[i]
  WidthSampler sampler_;                        // each subnetwork is drawn equally often
  JointOptions options_;
  double smoothing_;
};

RecipeKind joint_recipe();

}  // namespace hv::train
