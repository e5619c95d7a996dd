// Images resized by bilinear interpolation. The loops are in core/kernels/resize.cpp.
#include "core/kernels/resize.h"

#include <algorithm>

#include "core/ops.h"
#include "core/ops/sink.h"

namespace hv {

Tensor resize_bilinear(const Tensor& images, int64_t height, int64_t width, bool align_corners) {
  HV_CHECK(images.rank() == 4, "resize_bilinear: images must be [B, C, H, W]: ", images.shape());
  const int64_t batch = images.size(0), channels = images.size(1), h = images.size(2), w = images.size(3);
  HV_CHECK(std::min(h, w) > 0, "resize_bilinear: images without pixels: ", images.shape());
  HV_CHECK(std::min(height, width) > 0 && std::max({height, width, h, w}) <= kMostSide,
           "resize_bilinear: sides must be from 1 to 2^30: ", images.shape(), " to ", height, " x ", width);
  const Tensor y = Tensor::empty({batch, channels, height, width});
  std::vector<Tap> rows = bilinear_taps(h, height, align_corners), cols = bilinear_taps(w, width, align_corners);
  resize_forward(rows, cols, {images.data(), batch, images.strides()}, channels, y.mutable_data());
  // y = R x C^T per plane, R and C the weights along the two sides;  dx = R^T g C
  return record("resize_bilinear", y, {images},
                [=, rows = std::move(rows), cols = std::move(cols)](const Tensor& g, const Edges& in) {
                  const int64_t planes = batch * channels;
                  const Sink dx(in, 0, planes, h * w);
                  resize_backward(rows, cols, planes, h, w, g.data(), dx);
                  dx.finish();
                });
}

}  // namespace hv
