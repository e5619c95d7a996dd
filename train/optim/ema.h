// The exponential moving average of the weights (EMA). The optimiser updates it (train/optim/optimizer.h). This class holds it
// and exchanges it with the weights of the model for an evaluation.
// Thread rule: one thread.
#pragma once

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "nn/module.h"

namespace hv::train {

class Ema {
 public:
  // The average starts as a copy of the weights. If decay is 0, there is no average and values() is empty.
  Ema(const nn::Module& model, double decay) : parameters_(model.parameters()), decay_(decay) {
    if (decay <= 0) return;
    NoGrad off;
    for (const nn::Parameter& parameter : parameters_) values_.push_back(parameter.value.clone());
  }
  bool on() const { return !values_.empty(); }
  const std::vector<Tensor>& values() const { return values_; }
  // The decay at step t: min(decay, (1 + t) / (10 + t)), as in TensorFlow's ExponentialMovingAverage. It is small at first, so
  // that the random start is forgotten; the average then spans about t / 10 steps.
  double decay(int64_t step) const {
    const double t = static_cast<double>(step);
    return std::min(decay_, (1 + t) / (10 + t));
  }
  // Exchanges the average and the weights. A second call restores both.
  void swap() const {  // NOLINT(bugprone-exception-escape): it throws only for tensors without memory, and values_ holds none
    for (size_t i = 0; i < values_.size(); ++i) {
      Real *average = values_[i].mutable_data(), *weight = parameters_[i].value.mutable_data();
      parallel_blocks(values_[i].numel(), 1 << 16,
                      [&](int64_t begin, int64_t end) { std::swap_ranges(average + begin, average + end, weight + begin); });
    }
  }

 private:
  std::vector<nn::Parameter> parameters_;
  std::vector<Tensor> values_;
  double decay_;
};

// While an object of this class is alive, the model computes with the averaged weights.
class WithEma {
 public:
  explicit WithEma(const Ema& ema) : ema_(ema) { ema_.swap(); }
  ~WithEma() { ema_.swap(); }  // NOLINT(bugprone-exception-escape): the same call succeeded in the constructor
  WithEma(const WithEma&) = delete;
  WithEma& operator=(const WithEma&) = delete;

 private:
  const Ema& ema_;
};

}  // namespace hv::train
