// Convolution as im2col + matrix product, and pooling. Images are [N, C, H, W].
//
// The windows of one image are unfolded into the columns of a matrix [C kh kw, Ho Wo] in a workspace that stays in the cache;
// backward unfolds again instead of keeping the matrix.
// Invariants
//   1. Images that are read may have any strides. Everything that is written is dense, but for the distance between images.
//   2. Each image (or plane of an image) of a result has one owner; sums over images are cut into fixed segments.
// Thread rule: all functions open a parallel region.
#pragma once

#include "core/kernels/rows.h"
#include "core/shape.h"

namespace hv {

struct Window {  // how a kernel slides over an image
  int64_t channels, height, width, kh, kw, stride, padding;
  int64_t out_h = (height + 2 * padding - kh) / stride + 1;
  int64_t out_w = (width + 2 * padding - kw) / stride + 1;
  int64_t out_size() const { return out_h * out_w; }
  int64_t rows() const { return channels * kh * kw; }
};

struct Images {
  const Real* data;
  int64_t count;
  Strides strides;  // of [N, C, H, W]
};

// y [N, O, Ho, Wo] = the convolution with weight [O, C, kh, kw], + bias [O] (null: 0).
void conv_forward(const Window& w, const Images& x, const Real* weight, const Real* bias, int64_t out, Real* y);
// dx [N, C H W] and dweight [O, C kh kw] from g = dy. Per image, with G [O, Ho Wo]:
//   dx = fold(W^T G),   dW = sum over images of G unfold(x)^T
void conv_backward(const Window& w, const Images& x, const Real* weight, const Real* g, int64_t out, const RowsOut& dx,
                   const RowsOut& dweight);

// y [N C, Ho Wo]. `chosen` receives where in its plane each maximum lies: the first of equals.
void max_pool_forward(const Window& w, const Images& x, Real* y, int64_t* chosen);
void max_pool_backward(const Window& w, int64_t planes, const Real* g, const int64_t* chosen, const RowsOut& dx);
void avg_pool_forward(const Window& w, const Images& x, Real* y);
void avg_pool_backward(const Window& w, int64_t planes, const Real* g, const RowsOut& dx);

}  // namespace hv
