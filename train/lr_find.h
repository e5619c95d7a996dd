// A range test of the learning rate (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3): it grows
// exponentially from step to step, and the course of the loss shows where training is fastest and where it breaks.
//
// Invariants
//   1. Steps are those of training (train/step.h): the same recipe with its random widths, the same batches for the same seed.
//   2. Nothing is written; what the model has become is of no use to anyone.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "train/step.h"

namespace hv::train {

struct LrPoint {
  double lr = 0, loss = 0, smooth = 0;  // smooth: the moving average of losses (0.9), corrected for its beginning at 0
};
struct LrCurve {
  std::vector<LrPoint> points;
  std::string stopped;  // why before the last step; empty: it was not
};

// lr of step s of n: low (high / low)^(s / (n - 1)). Ends early where the smoothed loss is above four times its least, a loss
// or gradient is not finite, or `stop` says so.
LrCurve lr_ramp(Stepper& stepper, double low, double high, int64_t steps, const std::function<bool()>& stop = {});

// Two opinions; both leave out the first tenth of the steps, where the average is young, and the last five, where it breaks.
struct LrSuggestions {
  double steepest = 0;  // where the smoothed loss falls fastest with log lr (Lightning's)
  double valley = 0;    // the middle of the longest falling subsequence of smoothed losses (fastai's)
};
LrSuggestions suggest_lr(const LrCurve& curve);  // too few points, or a loss that never falls: an error (Fault::failure)

}  // namespace hv::train
