// Softmax and cross-entropy of each row of logits, in double.
//
//     loss_i = sum over k of t_ik (lse_i - x_ik),   lse_i = log(sum over k of exp(x_ik)),   t_ik the wanted probability
// Thread rule: opens a parallel region.
#pragma once

#include <cstdint>

#include "core/storage.h"

namespace hv {

// t_ik = even + (1 - smoothing) * (labels[i] == k, or soft(i, k)).
struct WantedClasses {
  const int64_t* labels;  // null: soft targets
  const Real* soft;
  int64_t row, col;  // strides of soft
  double smoothing, even;
  double operator()(int64_t i, int64_t k) const {
    if (labels) return even + (labels[i] == k ? 1 - smoothing : 0);
    return even + (1 - smoothing) * static_cast<double>(soft[i * row + k * col]);
  }
};

struct Logits {  // x_ik at data[i * row + k * col]
  const Real* data;
  int64_t batch, classes, row, col;
};

// losses [batch]. slopes [batch, classes], dense, unless null: the gradient of the mean loss,
//     (p_ik * sum over k of t_ik - t_ik) / batch   with p = softmax(x)
void cross_entropy_rows(const Logits& logits, const WantedClasses& wanted, double* losses, Real* slopes);

}  // namespace hv
