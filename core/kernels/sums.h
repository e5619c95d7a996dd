// Sums over many rows: in float over a short block of rows, in double over the blocks. In float alone, the sum of a million
// rows would lose three of its seven digits.
//
// Invariants
//   1. The blocks depend on the number of rows alone.
// Thread rule: any thread, also inside parallel regions; nothing is allocated.
#pragma once

#include "core/kernels/rows.h"

namespace hv {

// to [n] (+)= the sum of `count` partial sums, which lie `stride` apart, in order.
void add_sums(const double* partials, int64_t count, int64_t stride, int64_t n, const RowsOut& to);

// LayerNorm's gradient for d = dy: `rows` rows of n channels.
struct NormGradient {
  RowsIn d, x;
  const Real *gain, *mean, *rstd;
  RowsOut dx;
  double *dgain, *dshift;  // [n]: always added to
  Real* workspace;         // 2 n numbers
};
void norm_backward_rows(const NormGradient& g, int64_t rows, int64_t n);

}  // namespace hv
