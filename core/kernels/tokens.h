// The tokens of a vision transformer, in one pass over memory: y [B, S + N, p] = S first tokens [S, p]
// (CLS, ...) and patches [B, N, p], + positions.
// Thread rule: both functions open a parallel region.
#pragma once

#include "core/kernels/rows.h"

namespace hv {

struct TokenSizes {
  int64_t batch, patches, channels, first;  // first: S
  int64_t tokens() const { return first + patches; }
};

// All but `positions` is dense.
void embed_forward(const TokenSizes& z, const Real* patches, const Real* cls, const RowsIn& positions, Real* y);
// From g = dy:  dpatches = g[:, S:];  dcls = sum over images of g[:, :S];  dpositions = sum over images of g
void embed_backward(const TokenSizes& z, const Real* g, const RowsOut& dpatches, const RowsOut& dcls,
                    const RowsOut& dpositions);

}  // namespace hv
