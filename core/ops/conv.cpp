// Convolution and pooling of images [N, C, H, W], which are read in place, whatever their strides. The loops are in
// core/kernels/conv.cpp.
#include "core/kernels/conv.h"

#include "core/ops.h"
#include "core/ops/sink.h"

namespace hv {
namespace {

Window window_of(const char* op, const Tensor& x, int64_t kh, int64_t kw, int64_t stride, int64_t padding) {
  HV_CHECK(x.rank() == 4, op, ": images must be [N, C, H, W]: ", x.shape());
  HV_CHECK(x.size(1) > 0 && x.size(2) > 0 && x.size(3) > 0, op, ": images without pixels: ", x.shape());
  constexpr int64_t kMostPadding = int64_t{1} << 31;
  HV_CHECK(kh > 0 && kw > 0 && stride > 0 && padding >= 0 && padding <= kMostPadding, op, ": bad kernel ", kh, " x ", kw,
           ", stride ", stride, " or padding ", padding);
  HV_CHECK(x.size(2) + 2 * padding >= kh && x.size(3) + 2 * padding >= kw, op, ": kernel ", kh, " x ", kw,
           " is larger than the padded image of ", x.shape(), ", padding ", padding);
  return {x.size(1), x.size(2), x.size(3), kh, kw, stride, padding};
}

Images images_of(const Tensor& x) { return {x.data(), x.size(0), x.strides()}; }

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride, int64_t padding) {
  HV_CHECK(x.rank() == 4, "conv2d: images must be [N, C, H, W]: ", x.shape());
  HV_CHECK(weight.rank() == 4, "conv2d: weight must be [O, C, kh, kw]: ", weight.shape());
  HV_CHECK(x.size(1) == weight.size(1), "conv2d: channels differ: images ", x.shape(), ", weight ", weight.shape());
  const int64_t batch = x.size(0), out = weight.size(0);
  HV_CHECK(!bias.defined() || bias.shape() == Shape{out}, "conv2d: bias ", bias.shape(), " for weight ", weight.shape());
  const Window w = window_of("conv2d", x, weight.size(2), weight.size(3), stride, padding);
  const Tensor kernel = weight.detach().contiguous(), offset = bias.defined() ? bias.detach().contiguous() : bias;
  const Tensor y = Tensor::empty({batch, out, w.out_h, w.out_w});
  conv_forward(w, images_of(x), kernel.data(), offset.defined() ? offset.data() : nullptr, out, y.mutable_data());
  if (!wants_grad({x, weight, bias})) return y;
  // Per image, with G [O, Ho Wo]:  dx = fold(W^T G),  dW = sum G unfold(x)^T,  db = sum of G's rows
  return record("conv2d", y, {x, weight, bias}, [=, sx = Saved(x), sw = Saved(kernel)](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, batch, w.channels * w.height * w.width), dw(in, 1, out, w.rows());
    conv_backward(w, images_of(sx.get()), sw.get().data(), g.data(), out, dx, dw);
    if (in[2]) in[2].add(sum(g, {0, 2, 3}));
    dx.finish();
    dw.finish();
  });
}

Tensor max_pool2d(const Tensor& x, int64_t kernel, int64_t stride, int64_t padding) {
  const Window w = window_of("max_pool2d", x, kernel, kernel, stride, padding);
  HV_CHECK(padding <= kernel / 2, "max_pool2d: padding ", padding, " is more than half of the kernel, ", kernel);
  const int64_t planes = x.size(0) * w.channels;
  const Tensor y = Tensor::empty({x.size(0), w.channels, w.out_h, w.out_w});
  std::vector<int64_t> chosen(static_cast<size_t>(y.numel()));  // where in its plane each maximum lies
  max_pool_forward(w, images_of(x), y.mutable_data(), chosen.data());
  // dx at the (first) maximum of each window += g
  return record("max_pool2d", y, {x}, [w, planes, places = std::move(chosen)](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, planes, w.height * w.width);
    max_pool_backward(w, planes, g.data(), places.data(), dx);
    dx.finish();
  });
}

Tensor avg_pool2d(const Tensor& x, int64_t kernel, int64_t stride) {
  const Window w = window_of("avg_pool2d", x, kernel, kernel, stride, 0);
  const int64_t planes = x.size(0) * w.channels;
  const Tensor y = Tensor::empty({x.size(0), w.channels, w.out_h, w.out_w});
  avg_pool_forward(w, images_of(x), y.mutable_data());
  // dx += g / kernel^2 for each window that a pixel lies in
  return record("avg_pool2d", y, {x}, [w, planes](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, planes, w.height * w.width);
    avg_pool_backward(w, planes, g.data(), dx);
    dx.finish();
  });
}

}  // namespace hv
