// The sandwich of Scala (Zhang et al., NeurIPS 2024, sections 3.2 to 3.4; the rule itself: Yu and Huang, "Universally Slimmable
// Networks", ICCV 2019): each step trains the full net, two drawn ones and the smallest on one batch. Each learns from labels
// and from the next wider net, so that knowledge passes down the widths.
//
// It trains any elastic model. One with a CLS and a DIST classifier (models/scala.h) learns labels by the first and teachers by
// the second; one with a single classifier learns both by that.
#pragma once

#include <functional>

#include "train/recipe.h"

namespace hv::train {

struct SandwichOptions {
  std::string teacher;                 // a checkpoint; empty: the full net learns from labels alone
  std::string teacher_loss = "hard";   // hard: its most probable class; soft: its probabilities
  std::string teacher_chain = "next";  // who teaches: the next wider net of the step, or the full one
  std::string transfer = "dist";       // the classifier that learns from wider nets: dist or cls
  double distill = 1;                  // weight of what wider nets teach
  double temperature = 1;              // of the soft teacher
  bool stable_sampling = true;         // one net of the upper half of the widths and one of the lower; else any two
  bool calibrate = true;               // narrower nets learn labels, too
  int64_t full_steps = 0;              // so many steps at the beginning train the full net alone
};

class SandwichRecipe : public Recipe {
 public:
  using Teacher = std::function<Tensor(const Tensor& images)>;  // -> logits; empty: there is none
  SandwichRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, SandwichOptions options, Teacher teacher,
                 double smoothing, uint64_t seed);

  std::vector<models::Subnet> trains(int64_t step) const override;  // widest first: the order in which they run
  double share(const models::Subnet& subnet) const override;        // of the steps after full_steps
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override;

  // The same passes through given subnetworks, widest first.
  void run(const std::vector<models::Subnet>& nets, const data::Batch& batch, const Learn& learn);

 private:
  struct Range {  // positions in subnets_, from `first` on
    int64_t first = 0, count = 0;
  };
  Range upper() const, lower() const;
  Tensor full_loss(const std::vector<Tensor>& logits, const data::Batch& batch) const;

  models::ElasticModel& model_;
  std::vector<models::Subnet> subnets_;  // narrowest first
  SandwichOptions options_;
  Teacher teacher_;
  double smoothing_;
  uint64_t seed_;
};

RecipeKind sandwich_recipe();
RecipeKind scala_recipe();  // the same; the name of the paper's method, for models of kind scala

}  // namespace hv::train
