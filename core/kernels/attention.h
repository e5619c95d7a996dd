// Attention over all heads of all images: the work is cut into heads here, and one head is computed by
// core/kernels/simd/attention.cpp.
//
// qkv is [B, T, heads * 3 * D], packed as a HeadLayout says; the result is [B, T, heads * D].
// Invariants
//   1. Nothing of size T x T is kept: forward leaves two numbers per row of scores (the largest, and 1 / the sum of the
//      exponentials), from which backward recomputes the probabilities.
// Thread rule: both functions open a parallel region.
#pragma once

#include <cmath>

#include "core/kernels/head_layout.h"
#include "core/kernels/rows.h"

namespace hv {

struct AttentionSizes {
  int64_t batch, tokens, heads;
  HeadLayout layout;
  int64_t head_dim() const { return layout.head_dim; }
  // Where q (part 0), k or v of a head begins in a packed row.
  int64_t column(int64_t head, int64_t part) const {
    return (layout.stacked ? head * 3 + part : part * heads + head) * head_dim();
  }
  int64_t packed() const { return heads * 3 * head_dim(); }
  int64_t width() const { return heads * head_dim(); }
  int64_t stats() const { return batch * heads * simd::attention_stats(tokens); }  // numbers that forward leaves
  Real scale() const {
    return static_cast<Real>(layout.multiplier > 0 ? layout.multiplier : 1.0 / std::sqrt(static_cast<double>(head_dim())));
  }
};

// qkv and out are dense. `kept`: a copy of qkv for backward.
void attention_forward(const AttentionSizes& z, const Real* qkv, const RoundedRows& kept, Real* stats, Real* out);
// dqkv (+)= the gradient for dout, which is dense.
void attention_backward(const AttentionSizes& z, const StoredRows& qkv, Real* stats, const Real* dout, const RowsOut& dqkv);

}  // namespace hv
