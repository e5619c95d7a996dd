// Y = f(X) W^T + bias + residual, with f the identity, GELU or LayerNorm, and its gradients: nine tenths of a transformer's
// time.
//
// X is M rows of K channels, W is [N, K]. f(X) is computed block by block in a workspace that stays in the cache, used, and
// forgotten: backward recomputes it from X. Compared with saving f(X) this halves the memory of training and costs about 3 %
// more time.
//
// Invariants
//   1. M is cut into blocks and segments by the shape alone. Each segment sums its own partial dW, db, dgain and dshift; the
//      partial sums are added in order.
// Thread rule: both functions open a parallel region.
#pragma once

#include "core/kernels/gemm.h"
#include "core/kernels/rows.h"

namespace hv {

enum class Front { none, gelu, norm };

struct NormFront {                               // for Front::norm
  const Real *gain = nullptr, *shift = nullptr;  // [K]
  Real eps = 0;
  Real *mean = nullptr, *rstd = nullptr;  // [M]: written by the forward pass, read by the backward pass
};

struct LinearForward {
  Front front;
  NormFront norm;
  Matrix x, weight;  // [M, K], [N, K]
  Plus plus;         // bias [N], residual [M, N]
  Real* y;           // [M, N], dense
  RoundedRows kept;  // a copy of x for backward
};
void linear_forward(const LinearForward& f);

// With G = dY and D = G W [M, K]:   dX = f'(X) D,   dW = G^T f(X),   db = the sum of G's rows.
struct LinearBackward {
  Front front;
  NormFront norm;
  Matrix g, weight;  // [M, N], [N, K]
  StoredRows x;      // [M, K]
  RowsOut dx, dweight, dbias, dgain, dshift;
};
void linear_backward(const LinearBackward& b);

}  // namespace hv
