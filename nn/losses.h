// Losses: small values that turn a model's output and its target into a scalar. The formulas are in core/ops/loss.cpp.
// Thread rule: as core/ops.h.
#pragma once

#include <span>

#include "core/ops.h"

namespace hv::nn {

// Mean over the batch of -sum_j t_j log softmax(logits)_j, where t is smoothed: (1 - smoothing) t + smoothing / classes.
struct CrossEntropy {
  double smoothing = 0;
  Tensor operator()(const Tensor& logits, std::span<const int64_t> labels) const {
    return cross_entropy(logits, labels, smoothing);
  }
  Tensor operator()(const Tensor& logits, const Tensor& targets) const { return cross_entropy(logits, targets, smoothing); }
};

// For labels that do not exclude one another: one yes or no per class.
struct BinaryCrossEntropy {
  Tensor operator()(const Tensor& logits, const Tensor& targets) const { return bce_with_logits(logits, targets); }
};

}  // namespace hv::nn
