// The hot loops that BLAS does not have, built three times (x86-64-v2, -v3 with AVX2, -v4 with AVX-512) from the sources
// in core/kernels/simd/ and chosen once at run time. HYDRAVIT_SIMD=v2, v3 or v4 asks for a lower level; another
// word is an error, of the first tensor or of kernels().
//
// Invariants
//   1. Kernels take raw rows, allocate nothing, start no threads and never fail: the caller cuts the work into pieces.
//   2. Rows have unit stride inside; `ld` is the distance between rows. `add` means += instead of =.
//   3. On one machine a level gives the same bits for the same input, whatever the alignment of its rows.
// Thread rule: all are pure functions of their arguments.
#pragma once

#include <cstdint>

#include "core/storage.h"

// One list for the declarations and for the table of kernels: X(name, (parameters)).
#define HV_SIMD_KERNELS(X)                                                                                                    \
  /* y[i] = gelu(x[i]) */                                                                                                     \
  X(gelu, (const Real* x, Real* y, int64_t n))                                                                                \
  /* dx[i] (+)= d[i] * gelu'(x[i]); y[i] = gelu(x[i]) as well, unless y is null */                                            \
  X(gelu_backward, (const Real* x, const Real* d, Real* dx, bool add, Real* y, int64_t n))                                    \
  /* y = (x - mean) * rstd * gain + shift for each row of n numbers; mean and rstd are written, one each per row */           \
  X(layer_norm, (const Real* x, int64_t ldx, const Real* gain, const Real* shift, Real eps, Real* y, int64_t ldy, Real* mean, \
                 Real* rstd, int64_t rows, int64_t n))                                                                        \
  /* y recomputed from the mean and rstd of the forward pass */                                                               \
  X(layer_norm_again, (const Real* x, int64_t ldx, const Real* gain, const Real* shift, const Real* mean, const Real* rstd,   \
                       Real* y, int64_t ldy, int64_t rows, int64_t n))                                                        \
  /* dx (+)= the gradient for d = dy; dgain and dshift, of n numbers each, are always added to: for few rows (sums.h) */      \
  X(layer_norm_backward,                                                                                                      \
    (const Real* d, int64_t ldd, const Real* x, int64_t ldx, const Real* gain, const Real* mean, const Real* rstd, Real* dx,  \
     int64_t lddx, bool add, Real* dgain, Real* dshift, int64_t rows, int64_t n))                                             \
  /* y = bias (or 0 if null) + residual (or 0 if null), row by row */                                                         \
  X(fill_rows, (const Real* bias, const Real* residual, int64_t ldr, Real* y, int64_t ldy, int64_t rows, int64_t n))          \
  /* out += the sum of the rows, which may be many (core/kernels/sums.h) */                                                   \
  X(sum_rows, (const Real* x, int64_t ldx, double* out, int64_t rows, int64_t n))                                             \
  /* y = x rounded to the nearest bf16 (ties to even), the upper half of a float; NaN stays NaN */                            \
  X(to_bf16, (const Real* x, uint16_t* y, int64_t n))                                                                         \
  /* y = x widened */                                                                                                         \
  X(from_bf16, (const uint16_t* x, Real* y, int64_t n))                                                                       \
  /* y += x, elementwise */                                                                                                   \
  X(accumulate, (const Real* x, Real* y, int64_t n))                                                                          \
  /* A product whose B fits in a core's own caches. transposed_b null: B's rows have unit stride. Else its columns have, */   \
  /* and B^T is copied there, [inner, cols] with rows padded to whole vectors; C and plus must have padded rows too */        \
  X(product, (const Product& product, Real* transposed_b))                                                                    \
  /* One head of one image (core/kernels/simd/attention.cpp) */                                                               \
  X(attention_head, (const AttentionHead& head))                                                                              \
  X(attention_head_backward, (const AttentionHead& head))                                                                     \
  /* One chunk of parameters (core/kernels/simd/update.cpp) */                                                                \
  X(adamw, (const AdamWChunk& chunk))                                                                                         \
  /* *out = the sum of squares, in double */                                                                                  \
  X(sum_squares, (const Real* x, int64_t n, double* out))

namespace hv {

// What a product is added to: `bias`, a row that is the same for all rows of C, and `rows`, which lie `ld` apart and may be C
// itself. Null: nothing.
struct Plus {
  const Real* bias = nullptr;
  const Real* rows = nullptr;
  int64_t ld = 0;
};

}  // namespace hv

namespace hv::simd {

// C [rows, cols] = A B + plus: A(i, x) = a[i * row_a + x * col_a], B(x, j) = b[x * row_b + j * col_b] for x in [0, inner).
struct Product {
  const Real* a = nullptr;
  int64_t row_a = 0, col_a = 0;
  const Real* b = nullptr;
  int64_t row_b = 0, col_b = 0;
  Real* c = nullptr;
  int64_t ldc = 0, rows = 0, cols = 0, inner = 0;
  Plus plus{};
  // The B, with the same strides, that this thread will transpose next; it is prefetched during this product. Null: unknown.
  const Real* next = nullptr;
};

// q, k, v (and their gradients) are T rows of head_dim, `ld` apart; out and dout are `ldo` apart.
struct AttentionHead {
  const Real *q, *k, *v;
  int64_t ld;
  Real* out;  // forward only
  int64_t ldo;
  Real* stats;  // attention_stats(T): written by forward, read by backward
  int64_t tokens, head_dim;
  Real scale;
  Real* scratch;                     // attention_scratch(T, head_dim) elements
  void (*multiply)(const Product&);  // computes the products instead of `product`; null: `product` does
  const Real* dout;                  // from here on: backward only
  Real *dq, *dk, *dv;
  int64_t ldd;
  bool add;  // dq, dk, dv += instead of =
};
int64_t attention_scratch(int64_t tokens, int64_t head_dim);
int64_t attention_stats(int64_t tokens);

// Parameters theta of one chunk, their moments and their average; Loshchilov and Hutter 2019, "Decoupled weight decay
// regularization".
struct AdamWChunk {
  Real* theta;
  const Real* grad;
  Real *m, *v;
  Real* ema;  // null: no average
  int64_t n;
  Real lr, beta1, beta2, eps, decay, correction1, correction2, grad_scale, ema_decay;
};

// NOLINTNEXTLINE(bugprone-macro-parentheses): the list comes with its parentheses.
#define HV_FIELD(name, parameters) void(*name) parameters;
struct Kernels {
  const char* level;
  int64_t lanes;  // numbers per vector
  HV_SIMD_KERNELS(HV_FIELD)
};
#undef HV_FIELD

const Kernels& kernels();  // for this processor

}  // namespace hv::simd
