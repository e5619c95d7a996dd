// One step of training: its batches, the recipe's loss, backward, clipping, the update of weights and average.
//
// Invariants
//   1. What step s does is a function of the options, s and the state that the optimiser, the average and the model hold:
//      randomness comes from (seed, s), and the batch of a pass from its number.
//   2. A loss or gradient that is not finite is an error (Fault::diverged) that says which, before it reaches the weights.
// Thread rule: one thread.
#pragma once

#include <memory>

#include "train/ema.h"
#include "train/optimizer.h"
#include "train/options.h"
#include "train/recipe.h"

namespace hv::train {

class Stepper {
 public:
  Stepper(models::ElasticModel& model, const data::Dataset& images, const TrainOptions& options,
          std::unique_ptr<Recipe> recipe);
  double run(int64_t step, double lr);  // the loss before the update

  int64_t batches() const { return loader_.batches(); }  // an epoch
  const Recipe& recipe() const { return *recipe_; }
  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  const Ema& ema() const { return ema_; }

 private:
  models::ElasticModel& model_;
  TrainOptions options_;
  std::unique_ptr<Recipe> recipe_;
  data::Loader loader_;
  std::unique_ptr<Optimizer> optimizer_;
  Ema ema_;
};

// The augmentation that the options ask for.
data::AugmentConfig augmentation(const TrainOptions& options);

}  // namespace hv::train
