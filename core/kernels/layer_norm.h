// LayerNorm over all rows: the work is cut into blocks here, and rows are computed by core/kernels/simd/rows.cpp.
//
// Invariants
//   1. Sums over rows (dgain, dshift) are made in segments that the shape alone gives, and added in order.
// Thread rule: both functions open a parallel region.
#pragma once

#include "core/kernels/rows.h"

namespace hv {

struct NormRows {
  RowsIn x;  // `count` rows of n channels
  int64_t count, n;
  const Real* gain;   // [n]
  Real *mean, *rstd;  // [count]: written by the forward pass, read by the backward pass
};

// y (dense) = (x - mean) * rstd * gain + shift with rstd = 1 / sqrt(variance + eps)
void layer_norm_forward(const NormRows& rows, const Real* shift, Real eps, Real* y);
// From g = dy (dense).
void layer_norm_backward(const NormRows& rows, const Real* g, const RowsOut& dx, const RowsOut& dgain, const RowsOut& dshift);

}  // namespace hv
