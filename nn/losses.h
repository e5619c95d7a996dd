// Losses: small values that turn a model's output and the truth into a scalar to differentiate. Formulas: core/ops.h.
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

// For labels that do not exclude one another: a yes or no a class.
struct BinaryCrossEntropy {
  Tensor operator()(const Tensor& logits, const Tensor& targets) const { return bce_with_logits(logits, targets); }
};

}  // namespace hv::nn
