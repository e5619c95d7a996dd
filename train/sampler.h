// The width sampler: which subnetwork a training step runs. One a step, uniform or weighted.
//
// Invariants
//   1. draw(step) depends on the seed, the step and the weights alone, so a resumed run repeats it.
//   2. All micro-batches of a step (gradient accumulation) share its width: they are one batch cut into pieces.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

class WidthSampler {
 public:
  // One weight a choice, in any unit; empty: all the same. Weights that cannot be used are an error (Fault::usage).
  WidthSampler(uint64_t seed, int64_t choices, const std::vector<double>& weights = {});
  int64_t draw(int64_t step) const;  // in [0, choices)
  double probability(int64_t choice) const;

 private:
  uint64_t seed_;
  std::vector<double> upper_;  // running sums of the probabilities; empty: uniform
  int64_t choices_;
};

// "3-8", "3,5,8" or a mix -> numbers, ascending; "1,1,2.5" -> weights. Errors (Fault::usage) begin with `option`.
std::vector<int64_t> parse_heads(const std::string& option, const std::string& text);
std::vector<double> parse_weights(const std::string& option, const std::string& text);

}  // namespace hv::train
