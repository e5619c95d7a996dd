// Bilinear interpolation of planes [N, C, H, W], which are read in place, whatever their strides.
//
// Along each side a result lies between two pixels, `lo` and `hi`, whose weights sum to 1: so y = R x C^T per plane, with at
// most two numbers per row of R and C. Backward is the transpose: dx = R^T g C.
// Invariants
//   1. Places are fractions of whole numbers: no rounding decides which pixels are read.
//   2. Each row of a result, and each plane of a gradient, has one owner; a gradient is summed in double, in index order.
// Thread rule: forward and backward open a parallel region.
#pragma once

#include <vector>

#include "core/kernels/conv.h"

namespace hv {

struct Tap {
  int64_t lo, hi;
  double at_lo, at_hi;
};
// One per result of a side that goes from `from` to `to` pixels. Both are at least 1 and at most kMostSide.
std::vector<Tap> bilinear_taps(int64_t from, int64_t to, bool align_corners);
inline constexpr int64_t kMostSide = int64_t{1} << 30;

// y [N, C, rows, cols], dense.
void resize_forward(const std::vector<Tap>& rows, const std::vector<Tap>& cols, const Images& x, int64_t channels, Real* y);
// dx, dense, from g = dy; `height` x `width`: a plane of x.
void resize_backward(const std::vector<Tap>& rows, const std::vector<Tap>& cols, int64_t planes, int64_t height, int64_t width,
                     const Real* g, const RowsOut& dx);

}  // namespace hv
