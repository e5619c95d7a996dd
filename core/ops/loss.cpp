// Losses, each the mean over the batch. Softmax and cross-entropy are one operation: the forward pass already knows the
// gradient of the logits for g = 1, one [B, K] tensor, and keeps that alone.
#include <algorithm>
#include <cmath>

#include "core/ops.h"
#include "core/ops/map.h"

namespace hv {
namespace {

// target(i, k) is the wanted probability t_ik of class k for sample i.
//     loss = mean_i sum_k t_ik (lse_i - x_ik),   dx_ik = g (p_ik sum_k t_ik - t_ik) / B
template <class TargetOf>
Tensor cross_entropy_of(const Tensor& logits, const TargetOf& target) {
  const int64_t batch = logits.size(0), classes = logits.size(1), row = logits.strides()[0], col = logits.strides()[1];
  const bool training = wants_grad({logits});
  const Tensor slope = Tensor::empty(training ? logits.shape() : Shape{0});
  Real* const slopes = slope.mutable_data();
  std::vector<double> losses(static_cast<size_t>(batch));
  parallel_blocks(batch, std::max<int64_t>(1, 2048 / classes), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto x = [at = logits.data() + i * row, col](int64_t k) { return static_cast<double>(at[k * col]); };
      double top = x(0), total = 0, wanted = 0, dot = 0;
      for (int64_t k = 1; k < classes; ++k) top = std::max(top, x(k));
      for (int64_t k = 0; k < classes; ++k) {
        const double t = target(i, k);
        total += std::exp(x(k) - top);
        wanted += t;
        if (t != 0) dot += t * x(k);  // a class that is not wanted may be at -inf
      }
      const double lse = top + std::log(total);
      losses[static_cast<size_t>(i)] = wanted * lse - dot;
      for (int64_t k = 0; training && k < classes; ++k) {
        const double p = std::exp(x(k) - lse);
        slopes[i * classes + k] = static_cast<Real>((p * wanted - target(i, k)) / static_cast<double>(batch));
      }
    }
  });
  double total = 0;
  for (double l : losses) total += l;
  return record("cross_entropy", Tensor::scalar(total / static_cast<double>(batch)), {logits},
                [saved = Saved(slope)](const Tensor& g, const Edges& in) {
                  map_into(
                      in[0].open(), [](Real d, Real s) { return d * s; }, g, saved.get());
                });
}

void check_logits(const Tensor& logits, double smoothing) {
  HV_CHECK(logits.rank() == 2 && logits.numel() > 0,
           "cross_entropy: logits must be [batch, classes], both at least 1: ", logits.shape());
  HV_CHECK(smoothing >= 0 && smoothing <= 1, "cross_entropy: smoothing must be in [0, 1]: ", smoothing);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, std::span<const int64_t> labels, double smoothing) {
  check_logits(logits, smoothing);
  const int64_t classes = logits.size(1);
  HV_CHECK(static_cast<int64_t>(labels.size()) == logits.size(0), "cross_entropy: ", labels.size(), " labels for logits ",
           logits.shape());
  for (int64_t l : labels)
    HV_CHECK(l >= 0 && l < classes, "cross_entropy: label out of range: ", l, " of ", classes, " classes");
  const double even = smoothing / static_cast<double>(classes);
  return cross_entropy_of(
      logits, [=](int64_t i, int64_t k) { return even + (labels[static_cast<size_t>(i)] == k ? 1 - smoothing : 0); });
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets, double smoothing) {
  check_logits(logits, smoothing);
  HV_CHECK(targets.shape() == logits.shape(), "cross_entropy: targets ", targets.shape(), " for logits ", logits.shape());
  HV_CHECK(!wants_grad({targets}), "cross_entropy: the targets get no gradient: detach() them");
  const double even = smoothing / static_cast<double>(logits.size(1));
  const int64_t row = targets.strides()[0], col = targets.strides()[1];
  return cross_entropy_of(logits, [=, t = targets.data()](int64_t i, int64_t k) {
    return even + (1 - smoothing) * static_cast<double>(t[i * row + k * col]);
  });
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets) {
  HV_CHECK(targets.shape() == logits.shape() && logits.numel() > 0, "bce_with_logits: targets ", targets.shape(),
           " for logits ", logits.shape());
  // max(x, 0) - x t + log(1 + e^-|x|), which never overflows
  const auto each = [](Real x, Real t) { return (x < 0 ? 0 : x) - x * t + std::log1p(std::exp(-std::abs(x))); };
  Tensor loss;
  {
    NoGrad off;
    loss = mean(map(each, logits.shape(), logits, targets));
  }
  if (!wants_grad({logits, targets})) return loss;
  // loss = mean of log(1 + e^x) - x t;  dx = g (sigmoid(x) - t) / n,  dt = -g x / n
  const Real scale = 1 / static_cast<Real>(logits.numel());
  const auto dx = [scale](Real d, Real x, Real t) { return d * scale * (1 / (1 + std::exp(-x)) - t); };
  const auto dt = [scale](Real d, Real x) { return -d * scale * x; };
  return record("bce_with_logits", loss, {logits, targets},
                [=, sx = Saved(logits), st = Saved(targets)](const Tensor& g, const Edges& in) {
                  if (in[0]) map_into(in[0].open(), dx, g, sx.get(), st.get());
                  if (in[1]) map_into(in[1].open(), dt, g, sx.get());
                });
}

}  // namespace hv
