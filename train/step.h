// One step of training: it loads batches, runs the recipe's passes, clips the gradient, updates the weights and their average.
//
// Invariants
//   1. The result of step s is a function of the options, of s, and of the state of the optimiser, the average and the model.
//      Random numbers depend on (seed, s) alone, and the number of a batch in the run decides which images it holds.
//   2. A loss or gradient that is not finite is an error (Fault::diverged) that names it, raised before the weights change.
// Thread rule: one thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "train/optim/ema.h"
#include "train/optim/optimizer.h"
#include "train/options.h"
#include "train/recipe.h"

namespace hv::train {

struct PassLoss {
  models::Subnet subnet;
  double loss = 0;  // mean over the batches of the step
};
struct StepLoss {
  double mean = 0;  // over the passes
  std::vector<PassLoss> passes;
};

class Stepper {
 public:
  Stepper(models::ElasticModel& model, const data::Dataset& images, const TrainOptions& options,
          std::unique_ptr<Recipe> recipe);
  StepLoss run(int64_t step, double lr);  // returns the losses, which are those before the update

  // The hook for training on several machines. It is called once per step, between the last backward pass and the norm of the
  // gradient, with the subnetworks that the step trained. The update uses the gradients that it leaves in
  // Parameter::value.grad().
  using Exchange =
      std::function<void(const std::vector<nn::Parameter>& parameters, const std::vector<models::Subnet>& trained)>;
  void set_exchange(Exchange exchange) { exchange_ = std::move(exchange); }

  int64_t batches() const { return loader_.batches(); }  // per epoch
  const Recipe& recipe() const { return *recipe_; }
  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  const Ema& ema() const { return ema_; }
  bool whole() const { return whole_; }  // false if an error has ended an update in the middle

 private:
  void learn(const std::vector<Term>& terms, const data::Batch& batch, StepLoss& losses) const;
  void update(int64_t step, double lr);

  models::ElasticModel& model_;
  TrainOptions options_;
  std::unique_ptr<Recipe> recipe_;
  data::Loader loader_;
  std::unique_ptr<Optimizer> optimizer_;
  Ema ema_;
  Exchange exchange_;
  bool whole_ = true;
};

// What a step updates (Optimizer::step): whole parameters, but none that no subnetwork of the step uses, as PyTorch leaves
// parameters without a gradient alone. Such are position tables of other sizes and classifiers of other widths. With
// `active_only`, of each parameter only what the subnetworks use. Empty if that is everything.
Live live_parts(const models::ElasticModel& model, const std::vector<models::Subnet>& trained, bool active_only);

// The augmentation that the options describe: a preset and the changes to it. Values out of range are errors (Fault::usage).
data::AugmentConfig augmentation(const TrainOptions& options, const data::Dataset& images);

}  // namespace hv::train
