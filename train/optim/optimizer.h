// Optimisers: AdamW (Loshchilov and Hutter 2019, algorithm 2) and SGD with momentum, in one pass over all memory of the model.
//
// The pass applies gradient clipping, the update, weight decay and the moving average of the weights (EMA), and sets the
// gradient to zero, while these values are in the cache. The parameters are cut once into chunks of at most 16384 elements.
// Invariants
//   1. Chunks depend on the shapes alone, each element lies in one chunk, and the gradient's norm adds the sums of the chunks
//      in a fixed order. So any number of threads gives the same bits.
//   2. By default the update acts on whole tensors. The gradient is 0 in the elements that no subnetwork of the step uses;
//      weight decay and momentum still change them, as in the HydraViT authors' code. If `live` is given, only the elements
//      in these parts are updated, once each, together with their moments (train/step.h: live_parts).
//   3. A parameter whose Parameter::decay is false has no weight decay.
//   4. The bias correction of Adam uses the number of steps of the run for every element, also for one that `live` left out of
//      some of these steps.
// Thread rule: one thread calls; step() uses all cores.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"

namespace hv::train {

struct OptimizerConfig {
  std::string kind = "adamw";  // or "sgd": see optimizer_names()
  double weight_decay = 0.05;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // adamw
  double momentum = 0.9;                          // sgd
};

// A 2-D piece of one parameter: `rows` rows of `length` neighbouring elements. The first row begins at element `offset` of the
// storage, and the beginnings of two rows are `stride` elements apart.
struct Chunk {
  size_t parameter;
  int64_t offset, rows, length, stride;
};

// Parts of the parameters, of all of them in each list; an undefined or empty part is none. If there is no list, the step
// updates whole tensors.
using Live = std::vector<std::vector<Tensor>>;

class Optimizer {
 public:
  Optimizer(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // The Euclidean norm over all gradients together. A parameter without a gradient counts as 0.
  double gradient_norm() const;
  // One update with the gradients times `scale`; then the gradients that were used are set to 0. `ema` holds one tensor per
  // parameter, which becomes ema_decay * ema + (1 - ema_decay) * weight; it is empty if there is no average. For `live`
  // see invariant 2.
  void step(double lr, double scale, const std::vector<Tensor>& ema = {}, double ema_decay = 0, const Live& live = {});
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }

  struct State {  // a checkpoint stores it as "optimizer.<name>.<parameter>"
    std::string name;
    std::vector<Tensor> values;  // one per parameter, of its shape
  };
  const std::vector<State>& states() const { return states_; }

 protected:
  struct Run {  // one row of a chunk
    Real *weight, *gradient;
    Real* state[2];
    Real* ema;  // null if there is no average
    int64_t length;
    bool decay;
  };
  virtual void begin(double lr, double scale, double ema_decay) = 0;  // computes the numbers that all rows share
  virtual void update(const Run& run) const = 0;
  void add_state(const std::string& name);
  OptimizerConfig config_;
  int64_t steps_ = 0;

 private:
  const std::vector<Chunk>& chunks_of(const Live& live);
  using Place = std::pair<Shape, int64_t>;  // shape and offset of a live part
  std::vector<nn::Parameter> parameters_;
  std::vector<State> states_;
  std::vector<Chunk> chunks_;                                            // of all whole parameters
  std::vector<std::pair<std::vector<Place>, std::vector<Chunk>>> live_;  // the chunks of each set of live parts seen so far
  mutable std::vector<double> partial_;                                  // one sum of squares per chunk
};

// An unknown kind is an error (Fault::usage).
std::unique_ptr<Optimizer> make_optimizer(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config);
const std::vector<std::string>& optimizer_names();

}  // namespace hv::train
