#include "train/start/lr_find.h"

#include <algorithm>
#include <cmath>

namespace hv::train {
namespace {

constexpr double kMemory = 0.9;  // decay of the moving average of the losses
constexpr double kTooHigh = 4;   // the test ends if the average exceeds its minimum times this

}  // namespace

LrCurve lr_ramp(Stepper& stepper, double low, double high, int64_t steps, const std::function<bool()>& stop) {
  HV_CHECK_USAGE(low > 0 && low < high && steps >= 2, "lr-find: a rate from ", low, " to ", high, " in ", steps,
                 " steps; 0 < low < high and at least 2 steps are needed");
  LrCurve curve;
  double average = 0, least = 0;
  for (int64_t s = 0; s < steps; ++s) {
    if (stop && stop()) {
      curve.stopped = "interrupted";
      break;
    }
    LrPoint point;
    point.lr = low * std::pow(high / low, static_cast<double>(s) / static_cast<double>(steps - 1));
    try {
      point.loss = stepper.run(s, point.lr).mean;
    } catch (const Error& error) {
      if (error.fault() != Fault::diverged) throw;
      curve.stopped = error.what();
      break;
    }
    average = kMemory * average + (1 - kMemory) * point.loss;
    point.smooth = average / (1 - std::pow(kMemory, static_cast<double>(s + 1)));
    curve.points.push_back(point);
    least = s == 0 ? point.smooth : std::min(least, point.smooth);
    if (point.smooth > kTooHigh * least) {
      curve.stopped = concat("the loss rose above ", kTooHigh, " times its least");
      break;
    }
  }
  return curve;
}

LrSuggestions suggest_lr(const LrCurve& curve) {
  const size_t n = curve.points.size(), first = n / 10, last = n > 5 ? n - 5 : 0;  // points in [first, last) count
  HV_CHECK(last >= first + 5, "lr-find: ", n, " losses are too few to choose by; ask for more --steps or a lower --low");
  const auto loss = [&](size_t i) { return curve.points[i].smooth; };

  // The points are equally spaced in log lr, so central differences can be compared without dividing by the spacing.
  size_t steepest = first + 1;
  for (size_t i = first + 1; i + 1 < last; ++i) {
    if (loss(i + 1) - loss(i - 1) < loss(steepest + 1) - loss(steepest - 1)) steepest = i;
  }

  // length[i] is the length of the longest falling subsequence that ends at i; before[i] is the index before i in it.
  std::vector<size_t> length(n, 1), before(n, n);
  size_t end = first;
  for (size_t i = first; i < last; ++i) {
    for (size_t j = first; j < i; ++j) {
      if (loss(i) < loss(j) && length[i] < length[j] + 1) {
        length[i] = length[j] + 1;
        before[i] = j;
      }
    }
    if (length[i] > length[end]) end = i;
  }
  HV_CHECK(length[end] > 1, "lr-find: the loss never fell between ", curve.points[first].lr, " and ", curve.points[last - 1].lr,
           "; try a lower --low");
  size_t middle = end;
  for (size_t k = 0; k < length[end] / 2; ++k) middle = before[middle];
  return {curve.points[steepest].lr, curve.points[middle].lr};
}

}  // namespace hv::train
