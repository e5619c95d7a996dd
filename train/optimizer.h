// Optimisers: AdamW (Loshchilov and Hutter 2019) and SGD with momentum, in one pass over all memory of the model.
//
// The pass applies gradient clipping, the update, weight decay and the moving average of the weights (EMA), and clears the
// gradient, while a piece of each is in cache. The model is cut once into chunks of at most 16384 elements.
// Invariants
//   1. Chunks depend on the shapes alone, each element has one owner, and the gradient's norm adds the chunks' sums in order:
//      the same bits for any number of threads.
//   2. By default the update acts on whole tensors: where a subnetwork did not reach, the gradient is 0, and decay and momentum
//      go on, as in the HydraViT authors' code. Given `live` (ElasticModel::active), only those rectangles change; their
//      moments too.
//   3. No decay where Parameter::decay is false.
//   4. The bias correction of Adam counts steps of the run, also for elements that sat some of them out.
// Thread rule: one thread calls; step() uses all cores.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"

namespace hv::train {

struct OptimizerConfig {
  std::string kind = "adamw";  // or "sgd"
  double weight_decay = 0.05;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // adamw
  double momentum = 0.9;                          // sgd
};

// A 2-D piece of one parameter: `rows` rows of `length` neighbouring elements, `stride` apart.
struct Chunk {
  size_t parameter;
  int64_t offset, rows, length, stride;
};

class Optimizer {
 public:
  Optimizer(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // The Euclidean norm of all gradients.
  double gradient_norm() const;
  // One update with the gradients times `scale`, which are cleared. `ema`: one tensor a parameter, moved to
  // ema_decay * ema + (1 - ema_decay) * weight; empty: none. `live`: see invariant 2; empty: whole tensors.
  void step(double lr, double scale, const std::vector<Tensor>& ema = {}, double ema_decay = 0,
            const std::vector<Tensor>& live = {});
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }

  struct State {  // for the checkpoint: "optimizer.<name>.<parameter>"
    std::string name;
    std::vector<Tensor> values;  // one a parameter
  };
  const std::vector<State>& states() const { return states_; }

 protected:
  struct Run {  // one row of a chunk
    Real *weight, *gradient;
    Real* state[2];
    Real* ema;  // or null
    int64_t length;
    bool decay;
  };
  virtual void begin(double lr, double scale, double ema_decay) = 0;  // prepares the numbers all rows share
  virtual void update(const Run& run) const = 0;
  void add_state(const std::string& name);
  OptimizerConfig config_;
  int64_t steps_ = 0;

 private:
  const std::vector<Chunk>& chunks_of(const std::vector<Tensor>& live);
  std::vector<nn::Parameter> parameters_;
  std::vector<State> states_;
  std::vector<Chunk> chunks_;                                            // of all parameters
  std::vector<std::pair<std::vector<Shape>, std::vector<Chunk>>> live_;  // of the rectangles seen so far
  mutable std::vector<double> partial_;
};

std::unique_ptr<Optimizer> make_optimizer(const std::vector<nn::Parameter>& parameters, const OptimizerConfig& config);
const std::vector<std::string>& optimizer_names();

}  // namespace hv::train
