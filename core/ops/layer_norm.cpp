// LayerNorm over the last dimension (Ba, Kiros, Hinton 2016): y = (x - mean) / sqrt(var + eps) * gain + shift, with var over
// the channels that x has: a subnetwork of width p normalises its p channels, not the full width.
#include "core/kernels/layer_norm.h"

#include "core/ops.h"
#include "core/ops/sink.h"

namespace hv {

Tensor layer_norm_composed(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps) {
  const Tensor centred = x - mean(x, {-1}, true);
  const Tensor variance = mean(centred * centred, {-1}, true);
  return centred / sqrt(variance + eps) * gain + shift;
}

Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps) {
  HV_CHECK(x.rank() >= 1, "layer_norm: x needs at least 1 dimension: ", x.shape());
  HV_CHECK(gain.shape() == Shape{x.size(-1)} && shift.shape() == gain.shape(), "layer_norm: gain ", gain.shape(), " and shift ",
           shift.shape(), " for ", x.shape());
  const int64_t n = x.size(-1), m = n > 0 ? x.numel() / n : 0;
  Tensor rows = x.detach().reshape({m, n});
  if (rows.strides()[1] != 1 && n > 1) rows = rows.contiguous();
  const Tensor gains = gain.detach().contiguous(), shifts = shift.detach().contiguous(), y = Tensor::empty(x.shape());
  const auto moments = std::make_shared<Storage>(2 * m);  // per row: mean and 1 / standard deviation
  const auto view = [m, n, moments](const Tensor& r, const Tensor& g) {
    return NormRows{{r.data(), r.strides()[0]}, m, n, g.data(), moments->data(), moments->data() + m};
  };
  layer_norm_forward(view(rows, gains), shifts.data(), static_cast<Real>(eps), y.mutable_data());
  if (!wants_grad({x, gain, shift})) return y;
  // With h = g * gain and xhat = (x - mean) * rstd:
  //   dx = rstd * (h - mean(h) - xhat * mean(h * xhat)),  dgain = sum of g * xhat,  dshift = sum of g
  return record("layer_norm", y, {x, gain, shift}, [=, sx = Saved(rows), sg = Saved(gains)](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, m, n), dgain(in, 1, 1, n), dshift(in, 2, 1, n);
    layer_norm_backward(view(sx.get(), sg.get()), g.data(), dx, dgain, dshift);
    for (const Sink* s : {&dx, &dgain, &dshift}) s->finish();
  });
}

}  // namespace hv
