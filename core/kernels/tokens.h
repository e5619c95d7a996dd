// The tokens of a vision transformer, in one pass over memory: y [B, N + 1, p] = cls [p] and patches [B, N, p], + positions.
// Thread rule: both functions open a parallel region.
#pragma once

#include "core/kernels/rows.h"

namespace hv {

struct TokenSizes {
  int64_t batch, patches, channels;
  int64_t tokens() const { return patches + 1; }
};

// All but `positions` is dense.
void embed_forward(const TokenSizes& z, const Real* patches, const Real* cls, const RowsIn& positions, Real* y);
// From g = dy:  dpatches = g[:, 1:];  dcls = sum over images of g[:, 0];  dpositions = sum over images of g
void embed_backward(const TokenSizes& z, const Real* g, const RowsOut& dpatches, const RowsOut& dcls,
                    const RowsOut& dpositions);

}  // namespace hv
