// Losses of labels that do not exclude each other: binary cross-entropy with a weight per label, and the focal loss of Lin et
// al. 2017 (arXiv 1708.02002, equations 4 and 5). With p = sigmoid(x), q = 1 - p, and the weights a of a target 1 and b of a
// target 0:
//
//   loss = mean of  a t q^gamma (-log p) + b (1 - t) p^gamma (-log q)
//
// The paper's alpha is a = alpha, b = 1 - alpha; PyTorch's pos_weight is a.
#include <cmath>

#include "core/ops.h"
#include "core/ops/map.h"

namespace hv {

Tensor focal_loss_composed(const Tensor& logits, const Tensor& targets, double gamma, const LabelWeights& weights) {
  const Tensor log_p = log(exp(-logits) + 1) * -1, log_q = log(exp(logits) + 1) * -1;
  Tensor yes = targets * exp(log_q * gamma) * log_p, no = (targets * -1 + 1) * exp(log_p * gamma) * log_q;
  if (weights.positive.defined()) yes = yes * weights.positive;
  if (weights.negative.defined()) no = no * weights.negative;
  return mean(yes + no) * -1;
}

namespace {

// p, q and their logarithms, of which none overflows: with z = e^-|x| the larger probability is 1 / (1 + z), the smaller one is
// z / (1 + z).
struct Chances {
  Real p, q, minus_log_p, minus_log_q;
  explicit Chances(Real x) {
    const Real z = std::exp(-std::abs(x)), large = 1 / (1 + z), small = z / (1 + z), rest = std::log1p(z);
    p = x < 0 ? small : large;
    q = x < 0 ? large : small;
    minus_log_p = (x < 0 ? -x : 0) + rest;
    minus_log_q = (x < 0 ? 0 : x) + rest;
  }
};

Tensor weight_or_one(const char* op, const Tensor& weight, const Tensor& logits) {
  if (!weight.defined()) return Tensor::ones({1});
  HV_CHECK(weight.numel() == 1 || weight.shape() == Shape{logits.size(-1)}, op, ": weights ", weight.shape(), " for logits ",
           logits.shape(), "; expected one per label");
  HV_CHECK(!wants_grad({weight}), op, ": the weights get no gradient: detach() them");
  return weight.numel() == 1 ? weight.reshape({1}) : weight;
}

Tensor label_loss(const char* op, const Tensor& logits, const Tensor& targets, double gamma, const LabelWeights& weights) {
  HV_CHECK(targets.shape() == logits.shape() && logits.rank() > 0 && logits.numel() > 0, op, ": targets ", targets.shape(),
           " for logits ", logits.shape(), "; expected the same shape [.., labels], not empty");
  HV_CHECK(!wants_grad({targets}), op, ": the targets get no gradient: detach() them");
  HV_CHECK(gamma >= 0 && std::isfinite(gamma), op, ": gamma must not be negative: ", gamma);
  const Tensor a = weight_or_one(op, weights.positive, logits), b = weight_or_one(op, weights.negative, logits);
  const Real power = static_cast<Real>(gamma);
  const auto each = [power](Real x, Real t, Real yes, Real no) {
    const Chances c(x);
    return yes * t * std::pow(c.q, power) * c.minus_log_p + no * (1 - t) * std::pow(c.p, power) * c.minus_log_q;
  };
  Tensor loss;
  {
    const NoGrad off;
    loss = mean(map(each, logits.shape(), logits, targets, a, b));
  }
  if (!wants_grad({logits})) return loss;
  // d(-log p) = -q dx, d(-log q) = p dx, dp = p q dx, dq = -p q dx, so with g the gradient of the loss
  //   dx = g / n (b (1 - t) p^gamma (p + gamma q (-log q)) - a t q^gamma (q + gamma p (-log p)))
  const Real scale = 1 / static_cast<Real>(logits.numel());
  const auto dx = [power, scale](Real g, Real x, Real t, Real yes, Real no) {
    const Chances c(x);
    const Real up = no * (1 - t) * std::pow(c.p, power) * (c.p + power * c.q * c.minus_log_q);
    const Real down = yes * t * std::pow(c.q, power) * (c.q + power * c.p * c.minus_log_p);
    return g * scale * (up - down);
  };
  return record(op, loss, {logits},
                [=, sx = Saved(logits), st = Saved(targets), sa = Saved(a), sb = Saved(b)](const Tensor& g, const Edges& in) {
                  map_into(in[0].open(), dx, g, sx.get(), st.get(), sa.get(), sb.get());
                });
}

}  // namespace

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const LabelWeights& weights) {
  return label_loss("bce_with_logits", logits, targets, 0, weights);
}

Tensor focal_loss(const Tensor& logits, const Tensor& targets, double gamma, const LabelWeights& weights) {
  return label_loss("focal_loss", logits, targets, gamma, weights);
}

}  // namespace hv
