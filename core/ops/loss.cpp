// Losses, each the mean over the batch. Softmax and cross-entropy are one operation: the forward pass computes the gradient of
// the logits for g = 1 as well, one [B, K] tensor, and keeps only that for backward.
#include <cmath>

#include "core/kernels/cross_entropy.h"
#include "core/ops.h"
#include "core/ops/map.h"

namespace hv {

Tensor cross_entropy_composed(const Tensor& logits, const Tensor& targets, double smoothing) {
  const Tensor wanted = targets * (1 - smoothing) + smoothing / static_cast<double>(logits.size(1));
  return sum(wanted * log_softmax(logits)) * (-1.0 / static_cast<double>(logits.size(0)));
}

namespace {

// loss = mean_i sum_k t_ik (lse_i - x_ik),   dx_ik = g (p_ik sum_k t_ik - t_ik) / B
Tensor cross_entropy_of(const Tensor& logits, const WantedClasses& wanted) {
  const int64_t batch = logits.size(0);
  const bool training = wants_grad({logits});
  const Tensor slope = Tensor::empty(training ? logits.shape() : Shape{0});
  std::vector<double> losses(static_cast<size_t>(batch));
  cross_entropy_rows({logits.data(), batch, logits.size(1), logits.strides()[0], logits.strides()[1]}, wanted, losses.data(),
                     training ? slope.mutable_data() : nullptr);
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
  return cross_entropy_of(logits, {labels.data(), nullptr, 0, 0, smoothing, smoothing / static_cast<double>(classes)});
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets, double smoothing) {
  check_logits(logits, smoothing);
  HV_CHECK(targets.shape() == logits.shape(), "cross_entropy: targets ", targets.shape(), " for logits ", logits.shape());
  HV_CHECK(!wants_grad({targets}), "cross_entropy: the targets get no gradient: detach() them");
  const double even = smoothing / static_cast<double>(logits.size(1));
  return cross_entropy_of(logits, {nullptr, targets.data(), targets.strides()[0], targets.strides()[1], smoothing, even});
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
