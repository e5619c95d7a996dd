// LayerNorm over the channels of each pixel of images [N, C, pixels], as a convolution leaves them: a channel's pixels lie side
// by side, so vectors hold pixels, and nothing is transposed.
//
// Invariants
//   1. Each image has one owner. Sums over images (dgain, dshift) are added in their order.
// Thread rule: both functions open a parallel region.
#pragma once

#include "core/kernels/rows.h"

namespace hv {

struct NormPixels {
  const Real* x;  // dense
  int64_t images, channels, pixels;
  const Real* gain;   // [channels]
  Real *mean, *rstd;  // [images, pixels]: written by the forward pass, read by the backward pass
};

// y (dense) = (x - mean) * rstd * gain + shift with rstd = 1 / sqrt(variance + eps), all over the channels of a pixel
void channel_norm_forward(const NormPixels& n, const Real* shift, Real eps, Real* y);
// From g = dy (dense). dx: a row per image.
void channel_norm_backward(const NormPixels& n, const Real* g, const RowsOut& dx, const RowsOut& dgain, const RowsOut& dshift);

}  // namespace hv
