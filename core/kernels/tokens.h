// The tokens of a vision transformer, in one pass over memory: y [B, S + N, p] = S first tokens [S, p]
// (CLS, ...) and patches [B, N, p], + positions. Then some of the tokens are chosen by their scores, and gathered.
// Thread rule: all functions open a parallel region.
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

// Where each row of scores [batch, tokens], which may have any strides, has its `kept` largest, in descending order. Of equals
// the lower index comes first; NaN counts as the largest, as in argmax_rows.
struct Scores {
  const Real* data;
  int64_t batch, tokens, row, col;  // row, col: the strides
};
void top_rows(const Scores& scores, int64_t kept, int64_t* index);

// index [batch, kept], each in [0, tokens): the rows to copy from x [batch, tokens, channels].
struct TokenPicks {
  const int64_t* index;
  int64_t batch, tokens, kept, channels;
};
// y [batch, kept, channels], dense. Images of x lie `image` apart, rows of an image x.ld.
void gather_forward(const TokenPicks& z, const RowsIn& x, int64_t image, Real* y);
// From g = dy:  dx[b, index[b, i]] += g[b, i], for i = 0, 1, ... in this order; images of dx lie dx.ld apart and are dense
void gather_backward(const TokenPicks& z, const Real* g, const RowsOut& dx);

}  // namespace hv
