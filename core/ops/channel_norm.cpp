// LayerNorm over the channels of each pixel (Liu et al., "A ConvNet for the 2020s", CVPR 2022): what layer_norm() is for
// tokens, for images as a convolution leaves them.
#include "core/kernels/channel_norm.h"

#include "core/ops.h"
#include "core/ops/sink.h"

namespace hv {

Tensor channel_norm_composed(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps) {
  return layer_norm_composed(x.permute({0, 2, 3, 1}), gain, shift, eps).permute({0, 3, 1, 2});
}

Tensor channel_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps) {
  HV_CHECK(x.rank() == 4, "channel_norm: images must be [N, C, H, W]: ", x.shape());
  HV_CHECK(gain.shape() == Shape{x.size(1)} && shift.shape() == gain.shape(), "channel_norm: gain ", gain.shape(),
           " and shift ", shift.shape(), " for ", x.shape());
  const int64_t images = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
  const Tensor dense = x.detach().contiguous(), gains = gain.detach().contiguous(), shifts = shift.detach().contiguous();
  const Tensor y = Tensor::empty(x.shape());
  const auto moments = std::make_shared<Storage>(2 * images * pixels);  // per pixel: mean and 1 / standard deviation
  const auto view = [=](const Tensor& from, const Tensor& g) {
    return NormPixels{from.data(), images, channels, pixels, g.data(), moments->data(), moments->data() + images * pixels};
  };
  channel_norm_forward(view(dense, gains), shifts.data(), static_cast<Real>(eps), y.mutable_data());
  if (!wants_grad({x, gain, shift})) return y;
  // The formulas are beside the kernel.
  return record("channel_norm", y, {x, gain, shift},
                [=, sx = Saved(dense), sg = Saved(gains)](const Tensor& g, const Edges& in) {
                  const Sink dx(in, 0, images, channels * pixels), dgain(in, 1, 1, channels), dshift(in, 2, 1, channels);
                  channel_norm_backward(view(sx.get(), sg.get()), g.data(), dx, dgain, dshift);
                  for (const Sink* s : {&dx, &dgain, &dshift}) s->finish();
                });
}

}  // namespace hv
