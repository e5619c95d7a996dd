// AdamW and the running average of the weights, in one pass over memory: memory traffic limits its speed, not arithmetic.
#include "core/kernels/simd/vec.h"

namespace hv::simd::HV_LEVEL {

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  theta -= lr * (decay * theta + (m / c1) / (sqrt(v / c2) + eps))
// with c = 1 - b^t; ema = ema_decay * ema + (1 - ema_decay) * theta.
void adamw(const AdamWChunk& c) {
  const Real one = 1, keep = one - c.lr * c.decay;
  for_vectors(c.n, [&](int64_t i, auto lanes) {
    const Vec g = lanes.load(c.grad + i) * c.grad_scale;
    const Vec m = lanes.load(c.m + i) * c.beta1 + g * (one - c.beta1);
    const Vec v = lanes.load(c.v + i) * c.beta2 + g * g * (one - c.beta2);
    const Vec step = (m / c.correction1) / (sqrt(v / c.correction2) + c.eps);
    const Vec theta = lanes.load(c.theta + i) * keep - c.lr * step;
    lanes.store(c.theta + i, theta);
    lanes.store(c.m + i, m);
    lanes.store(c.v + i, v);
    if (c.ema) lanes.store(c.ema + i, lanes.load(c.ema + i) * c.ema_decay + theta * (one - c.ema_decay));
  });
}

}  // namespace hv::simd::HV_LEVEL
