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

// What a teacher knows: T^2 times the mean over the batch of KL(p || q) = sum_j p_j (log p_j - log q_j), where p and q are the
// softmax of the teacher's and the student's logits / T. The teacher gets no gradient (Hinton et al. 2015, arXiv 1503.02531).
struct Distillation {
  double temperature = 1;
  Tensor operator()(const Tensor& student, const Tensor& teacher) const {
    const double t = temperature;
    Tensor p, entropy;
    {
      const NoGrad off;
      p = softmax(teacher * (1 / t));
      entropy = cross_entropy(teacher * (1 / t), p);
    }
    return (cross_entropy(student * (1 / t), p) - entropy) * (t * t);
  }
};

// For labels that do not exclude one another: one yes or no per label. Weights that balance rare labels: nn/balance.h.
struct BinaryCrossEntropy {
  LabelWeights weights = {};
  Tensor operator()(const Tensor& logits, const Tensor& targets) const {
    const bool plain = !weights.positive.defined() && !weights.negative.defined();
    return plain ? bce_with_logits(logits, targets) : bce_with_logits(logits, targets, weights);
  }
};

// The same, in which answers that are already right count less (Lin et al. 2017, arXiv 1708.02002).
struct Focal {
  double gamma = 2;
  LabelWeights weights = {};
  Tensor operator()(const Tensor& logits, const Tensor& targets) const { return focal_loss(logits, targets, gamma, weights); }
};

}  // namespace hv::nn
