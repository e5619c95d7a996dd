// The moving average of the weights (EMA). The optimiser moves it (train/optimizer.h); this holds it and lends it to the model.
#pragma once

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "nn/module.h"

namespace hv::train {

class Ema {
 public:
  // decay 0: no average, values() is empty. Starts at the weights as they are.
  Ema(const nn::Module& model, double decay) : parameters_(model.parameters()), decay_(decay) {
    if (decay <= 0) return;
    NoGrad off;
    for (const nn::Parameter& parameter : parameters_) values_.push_back(parameter.value.clone());
  }
  bool on() const { return !values_.empty(); }
  const std::vector<Tensor>& values() const { return values_; }
  // Short at first, so that the random start is forgotten: after step t the average spans about t / 10 steps.
  double decay(int64_t step) const {
    const double t = static_cast<double>(step);
    return std::min(decay_, (1 + t) / (10 + t));
  }
  // Exchanges average and weights; twice is as before.
  void swap() const {  // NOLINT(bugprone-exception-escape): it throws only for tensors without memory, which are not kept
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

// While one is alive, the model computes with the average.
class WithEma {
 public:
  explicit WithEma(const Ema& ema) : ema_(ema) { ema_.swap(); }
  ~WithEma() { ema_.swap(); }  // NOLINT(bugprone-exception-escape): the same call went well in the constructor
  WithEma(const WithEma&) = delete;
  WithEma& operator=(const WithEma&) = delete;

 private:
  const Ema& ema_;
};

}  // namespace hv::train
