// Attention for one head of one image: T tokens (65 on CIFAR) of head_dim channels fit in the first-level caches, so the products are
// done here by a small register-blocked loop instead of BLAS, whose calls cost more than such a product.
//
// Letters: s = scale * q k^T, p = softmax(s), o = p v. Scratch rows are padded to a multiple of 16.
#include "core/kernels/simd/vec.h"

namespace hv::simd::HV_LEVEL {

// --- a small matrix product ----------------------------------------------------------------------------------------------------------

// C [kRows, kVecs vectors] (+)= sum over k of A(i, k) * B(k, :), A(i, k) at a[i * row_a + k * col_a].
template <int kRows, int kVecs, bool kAdd>
static inline void tile(const Real* a, int64_t row_a, int64_t col_a, const Real* b, int64_t ldb, Real* c, int64_t ldc, int64_t inner) {
  Vec sum[kRows][kVecs];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVecs; ++j) sum[i][j] = kAdd ? load(c + i * ldc + j * kWidth) : Vec{};
  }
  for (int64_t k = 0; k < inner; ++k) {
    Vec row[kVecs];
    for (int j = 0; j < kVecs; ++j) row[j] = load(b + k * ldb + j * kWidth);
    for (int i = 0; i < kRows; ++i) {
      const Real x = a[i * row_a + k * col_a];
      for (int j = 0; j < kVecs; ++j) sum[i][j] += x * row[j];
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVecs; ++j) store(c + i * ldc + j * kWidth, sum[i][j]);
  }
}

// All rows of one panel of kVecs vectors: as many rows at a time as the registers hold.
template <int kVecs, bool kAdd>
static inline void panel(const Real* a, int64_t row_a, int64_t col_a, const Real* b, int64_t ldb, Real* c, int64_t ldc, int64_t rows,
                  int64_t inner) {
  constexpr int kFit = (kRegisters - kVecs - 1) / kVecs, kRows = kFit < 13 ? kFit : 13;  // 65 = 5 * 13 tokens on CIFAR
  int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) tile<kRows, kVecs, kAdd>(a + i * row_a, row_a, col_a, b, ldb, c + i * ldc, ldc, inner);
  for (; i < rows; ++i) tile<1, kVecs, kAdd>(a + i * row_a, row_a, col_a, b, ldb, c + i * ldc, ldc, inner);
}

// C [rows, cols] (+)= A B. Whole vectors in panels of up to five (three with 16 registers), the last few columns one by one.
template <bool kAdd>
static void product(const Real* a, int64_t row_a, int64_t col_a, const Real* b, int64_t ldb, Real* c, int64_t ldc, int64_t rows,
                    int64_t cols, int64_t inner) {
  constexpr int64_t kMost = kRegisters == 32 ? 5 : 3;
  int64_t j = 0;
  for (int64_t vecs = cols / kWidth; vecs > 0;) {
    const int64_t panels = (vecs + kMost - 1) / kMost, take = (vecs + panels - 1) / panels;
    switch (take) {
      case 5: panel<kRegisters == 32 ? 5 : 3, kAdd>(a, row_a, col_a, b + j, ldb, c + j, ldc, rows, inner); break;
      case 4: panel<kRegisters == 32 ? 4 : 3, kAdd>(a, row_a, col_a, b + j, ldb, c + j, ldc, rows, inner); break;
      case 3: panel<3, kAdd>(a, row_a, col_a, b + j, ldb, c + j, ldc, rows, inner); break;
      case 2: panel<2, kAdd>(a, row_a, col_a, b + j, ldb, c + j, ldc, rows, inner); break;
      default: panel<1, kAdd>(a, row_a, col_a, b + j, ldb, c + j, ldc, rows, inner); break;
    }
    j += take * kWidth;
    vecs -= take;
  }
  for (; j < cols; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      Real s = kAdd ? c[i * ldc + j] : static_cast<Real>(0);
      for (int64_t k = 0; k < inner; ++k) s += a[i * row_a + k * col_a] * b[k * ldb + j];
      c[i * ldc + j] = s;
    }
  }
}

// to [cols, padded] = from [rows, cols] transposed; the padding is 0.
static void transpose(const Real* from, int64_t ld, int64_t rows, int64_t cols, Real* to, int64_t padded) {
  for (int64_t j = 0; j < cols; ++j) {
    for (int64_t i = 0; i < rows; ++i) to[j * padded + i] = from[i * ld + j];
    for (int64_t i = rows; i < padded; ++i) to[j * padded + i] = 0;
  }
}

// --- forward -------------------------------------------------------------------------------------------------------------------------

// Rows of scores to probabilities, in place; lse = max + log(sum of exp(s - max)). The padding beyond `tokens` becomes 0.
static void softmax_rows(Real* s, int64_t padded, int64_t tokens, Real scale, Real* lse) {
  const int64_t whole = tokens / kWidth * kWidth;
  for (int64_t i = 0; i < tokens; ++i, s += padded) {
    Real top = s[0];
    if (whole > 0) {
      Vec best = load(s);
      for (int64_t j = kWidth; j < whole; j += kWidth) {
        const Vec x = load(s + j);
        best = x > best ? x : best;
      }
      top = max_lanes(best);
    }
    for (int64_t j = whole; j < tokens; ++j) top = s[j] > top ? s[j] : top;
    Vec total{};
    const auto exponentials = [&](int64_t j, auto lanes) {
      const Vec e = lanes.keep(exp((load(s + j) - top) * scale));
      store(s + j, e);
      total += e;
    };
    for_vectors(tokens, exponentials);
    for (int64_t j = (tokens + kWidth - 1) / kWidth * kWidth; j < padded; j += kWidth) store(s + j, Vec{});
    const Real sum = sum_lanes(total), inverse = static_cast<Real>(1) / sum;
    for (int64_t j = 0; j < padded; j += kWidth) store(s + j, load(s + j) * inverse);
    lse[i] = top * scale + static_cast<Real>(__builtin_log(static_cast<double>(sum)));
  }
}

void attention_head(const AttentionHead& h) {
  const int64_t T = h.tokens, D = h.head_dim, padded = (T + 15) / 16 * 16;
  Real* kt = h.scratch;
  Real* p = kt + 2 * D * padded;
  transpose(h.k, h.ld, T, D, kt, padded);
  product<false>(h.q, h.ld, 1, kt, padded, p, padded, T, padded, D);  // q k^T
  softmax_rows(p, padded, T, h.scale, h.lse);
  product<false>(p, padded, 1, h.v, h.ld, h.out, h.ldo, T, D, T);     // p v
}

// --- backward ------------------------------------------------------------------------------------------------------------------------

// dv = p^T do;  dp = do v^T;  ds = p * (dp - sum over j of p dp);  dq = scale * ds k;  dk = scale * ds^T q.
void attention_head_backward(const AttentionHead& h) {
  const int64_t T = h.tokens, D = h.head_dim, padded = (T + 15) / 16 * 16;
  Real* kt = h.scratch;
  Real* vt = kt + D * padded;
  Real* p = vt + D * padded;
  Real* ds = p + T * padded;
  transpose(h.k, h.ld, T, D, kt, padded);
  transpose(h.v, h.ld, T, D, vt, padded);
  product<false>(h.q, h.ld, 1, kt, padded, p, padded, T, padded, D);      // scores again
  product<false>(h.dout, h.ldo, 1, vt, padded, ds, padded, T, padded, D);  // dp
  for (int64_t i = 0; i < T; ++i) {
    Real *row_p = p + i * padded, *row_d = ds + i * padded;
    Vec dot{};
    for (int64_t j = 0; j < padded; j += kWidth) {
      // The padding holds score 0, whose probability is not 0, but its dp is 0 and nobody reads past T below.
      const Vec e = exp(load(row_p + j) * h.scale - h.lse[i]);
      store(row_p + j, e);
      dot += e * load(row_d + j);
    }
    const Real total = sum_lanes(dot);
    for (int64_t j = 0; j < padded; j += kWidth) store(row_d + j, load(row_p + j) * (load(row_d + j) - total) * h.scale);
  }
  if (h.add) {
    product<true>(p, 1, padded, h.dout, h.ldo, h.dv, h.ldd, T, D, T);
    product<true>(ds, padded, 1, h.k, h.ld, h.dq, h.ldd, T, D, T);
    product<true>(ds, 1, padded, h.q, h.ld, h.dk, h.ldd, T, D, T);
  } else {
    product<false>(p, 1, padded, h.dout, h.ldo, h.dv, h.ldd, T, D, T);
    product<false>(ds, padded, 1, h.k, h.ld, h.dq, h.ldd, T, D, T);
    product<false>(ds, 1, padded, h.q, h.ld, h.dk, h.ldd, T, D, T);
  }
}

}  // namespace hv::simd::HV_LEVEL
