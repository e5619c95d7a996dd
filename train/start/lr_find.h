// A range test of the learning rate (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3). The
// learning rate grows exponentially from step to step. The loss shows where it falls fastest and where training diverges.
//
// Invariants
//   1. The steps are those of training (train/step.h): the same recipe with its random widths, and the same batches.
//   2. Nothing is written. The model is changed by the test and should be discarded after it.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "train/step.h"

namespace hv::train {

struct LrPoint {
  double lr = 0, loss = 0;
  double smooth = 0;  // the moving average of the losses: decay 0.9, bias-corrected because it starts at 0
};
struct LrCurve {
  std::vector<LrPoint> points;
  std::string stopped;  // why the test ended before its last step; empty if it ran to its end
};

// The learning rate of step s of n is low * (high / low)^(s / (n - 1)). The test ends early if the smoothed loss exceeds four
// times its minimum, if a loss or gradient is not finite, or if `stop` returns true. Errors (Fault::usage):
// not 0 < low < high, or fewer than 2 steps.
LrCurve lr_ramp(Stepper& stepper, double low, double high, int64_t steps, const std::function<bool()>& stop = {});

// Two suggestions. Both ignore the first tenth of the steps, where the moving average covers too few losses, and the last five
// steps, where training diverges.
struct LrSuggestions {
  double steepest = 0;  // the rate at which the smoothed loss falls fastest over log lr (as Lightning's lr_find)
  double valley = 0;    // the middle of the longest falling subsequence of smoothed losses (as fastai's valley)
};
// A curve with too few points or a loss that never falls is an error (Fault::failure).
LrSuggestions suggest_lr(const LrCurve& curve);

}  // namespace hv::train
