// The width sampler: it draws which subnetwork a training step runs. It draws one per step, uniformly or by weights (Haberer,
// Hojjat, Landsiedel 2024, section 3.3).
//
// Invariants
//   1. draw(step) depends on the seed, the step, the number of choices and the weights alone. So a resumed run draws the same.
//   2. All micro-batches of a step (gradient accumulation) run at the same width, because they are pieces of one batch.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

class WidthSampler {
 public:
  // `weights` holds one weight per choice; only their ratios matter. If it is empty, all choices are equally probable. A wrong
  // number of weights, a weight that is negative or not finite, or a sum of 0 is an error (Fault::usage).
  WidthSampler(uint64_t seed, int64_t choices, const std::vector<double>& weights = {});
  int64_t draw(int64_t step) const;          // in [0, choices)
  double probability(int64_t choice) const;  // 0 to 1; a choice outside [0, choices) is an error

 private:
  uint64_t seed_;
  std::vector<double> upper_;  // running sums of the probabilities; empty if the draw is uniform
  int64_t choices_;
};

// Reads "1,1,2.5". The text of an error (Fault::usage) begins with `option`.
std::vector<double> parse_weights(const std::string& option, const std::string& text);

}  // namespace hv::train
