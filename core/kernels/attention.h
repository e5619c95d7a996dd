// Attention over all heads of all images: the work is cut into heads here, and one head is computed by
// core/kernels/simd/attention.cpp.
//
// qkv is [B, T, heads * 3 * D], packed as a HeadLayout says; the result is [B, T, heads * D]. A head in several pieces is
// copied together and back.
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
  int64_t head_dim() const { return layout.head_dim; }  // of the largest head
  int64_t dim(int64_t head) const { return layout.table ? layout.table->dims[static_cast<size_t>(head)] : head_dim(); }
  // Whether it lies in one piece. For such a head: where q (part 0), k or v begins in a packed row, and where its results do.
  bool whole(int64_t head) const { return !layout.table || pieces(head).size() == 1; }
  int64_t column(int64_t head, int64_t part) const {
    if (layout.table) return pieces(head)[0].qkv + part * pieces(head)[0].size;
    return (layout.stacked ? head * 3 + part : part * heads + head) * head_dim();
  }
  int64_t out_column(int64_t head) const { return layout.table ? pieces(head)[0].out : head * head_dim(); }
  const std::vector<HeadTable::Piece>& pieces(int64_t head) const { return layout.table->heads[static_cast<size_t>(head)]; }
  int64_t packed() const { return 3 * width(); }
  int64_t width() const { return layout.table ? layout.table->width : heads * head_dim(); }
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
