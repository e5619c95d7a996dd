// Attention for one head of one image: T tokens (65 on CIFAR) of head_dim channels fit in the first-level caches, so the
// products are done here by a small register-blocked loop instead of BLAS, whose calls cost more than such a product.
//
// Letters: s = q k^T, p = softmax(scale * s), o = p v. Scratch rows are padded to whole vectors.
#include "core/kernels/simd/vec.h"

namespace hv::simd::HV_LEVEL {

// --- a small matrix product -------------------------------------------------------------------------------------------------

// Two rows of memory, `ld` apart, that are prefetched during a product. Weights come from beyond the caches, and the
// processor's own prefetcher does not recognise short rows in time. Only the levels with 16 registers do this: with AVX-512 an
// earlier way of prefetching made products slower (../README.md), and this one was not measured.
struct Ahead {
  const Real* rows = nullptr;
  int64_t ld = 0;
};

// C [kRows, kVecs vectors] = plus + sum over k of A(i, k) * B(k, :), A(i, k) at a[i * row_a + k * col_a].
template <int kVecs, int kRows>
static inline void tile(std::integral_constant<int, kRows>, const Real* a, int64_t row_a, int64_t col_a, const Real* b,
                        int64_t ldb, const Plus& plus, Real* c, int64_t ldc, int64_t inner, const Ahead& ahead) {
  Vec sum[kRows][kVecs]{};
  for (int i = 0; plus.rows && i < kRows; ++i) {
    for (int j = 0; j < kVecs; ++j) sum[i][j] = load(plus.rows + i * plus.ld + j * kWidth);
  }
  for (int j = 0; plus.bias && j < kVecs; ++j) {
    for (int i = 0; i < kRows; ++i) sum[i][j] += load(plus.bias + j * kWidth);
  }
  const auto step = [&](int64_t k) {
    Vec row[kVecs];
    for (int j = 0; j < kVecs; ++j) row[j] = load(b + k * ldb + j * kWidth);
    for (int i = 0; i < kRows; ++i) {
      const Real x = a[i * row_a + k * col_a];
      for (int j = 0; j < kVecs; ++j) sum[i][j] += x * row[j];
    }
  };
  constexpr int64_t kLine = 64 / sizeof(Real);
  int64_t k = 0;
  for (; ahead.rows && k + kLine <= inner; k += kLine) {
    __builtin_prefetch(ahead.rows + k);
    __builtin_prefetch(ahead.rows + ahead.ld + k);
    for (int64_t i = 0; i < kLine; ++i) step(k + i);
  }
  for (; k < inner; ++k) step(k);
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVecs; ++j) store(c + i * ldc + j * kWidth, sum[i][j]);
  }
}

// The last 1 to kMost rows are one tile too. If each were a tile of its own, every addition would wait for the one before it.
template <int kMost, class Rows>
static inline void leftover(int64_t count, const Rows& rows, std::integral_constant<int, kMost> most) {
  if (count == kMost) return rows(most);
  if constexpr (kMost > 1) leftover(count, rows, std::integral_constant<int, kMost - 1>{});
}

// All rows of one panel of kVecs vectors from column `left` on, as many rows at a time as fit into the registers.
template <int kVecs>
static inline void panel(const Product& p, const Real* b, int64_t ldb, int64_t left) {
  constexpr int kFit = (kRegisters - kVecs - 1) / kVecs, kRows = kFit < 13 ? kFit : 13;  // 65 = 5 * 13 tokens on CIFAR
  int64_t i = 0;
  const auto rows = [&](auto count) {
    const Plus plus{p.plus.bias ? p.plus.bias + left : nullptr, p.plus.rows ? p.plus.rows + i * p.plus.ld + left : nullptr,
                    p.plus.ld};
    // Row i of p.rows prefetches rows i * cols / rows on: together the rows prefetch all of the next B.
    const Ahead ahead{p.next && kRegisters == 16 ? p.next + i * p.cols / p.rows * p.col_b : nullptr, p.col_b};
    tile<kVecs>(count, p.a + i * p.row_a, p.row_a, p.col_a, b + left, ldb, plus, p.c + i * p.ldc + left, p.ldc, p.inner, ahead);
    i += count;
  };
  while (i + kRows <= p.rows) rows(std::integral_constant<int, kRows>{});
  if constexpr (kRows > 1) leftover(p.rows - i, rows, std::integral_constant<int, kRows - 1>{});
}

// The last columns of B and C, from `left` on, fewer than a vector: head sizes of Scala are any numbers. B's are copied into a
// strip of whole vectors, and C's go through a block of them, because a tile whose every load is a partial one is half as fast.
static void last_columns(const Product& p, const Real* b, int64_t ldb, int64_t left, int64_t cols) {
  constexpr int64_t kDeep = 128, kRows = 13;
  alignas(64) Real strip[kDeep * kWidth], block[kRows * kWidth];
  const Part lanes(cols);
  for (int64_t k = 0; k == 0 || k < p.inner; k += kDeep) {
    const int64_t deep = p.inner - k < kDeep ? p.inner - k : kDeep;
    for (int64_t x = 0; x < deep; ++x) store(strip + x * kWidth, lanes.load(b + (k + x) * ldb + left));
    for (int64_t i = 0; i < p.rows; i += kRows) {
      const int64_t rows = p.rows - i < kRows ? p.rows - i : kRows;
      Real* const c = p.c + i * p.ldc + left;
      for (int64_t r = 0; r < rows; ++r) {
        Vec start{};
        if (k > 0) {
          start = lanes.load(c + r * p.ldc);
        } else {
          if (p.plus.rows) start = lanes.load(p.plus.rows + (i + r) * p.plus.ld + left);
          if (p.plus.bias) start += lanes.load(p.plus.bias + left);
        }
        store(block + r * kWidth, start);
      }
      const Product piece{
          p.a + i * p.row_a + k * p.col_a, p.row_a, p.col_a, strip, kWidth, 1, block, kWidth, rows, kWidth, deep,
          {nullptr, block, kWidth}};
      panel<1>(piece, strip, kWidth, 0);
      for (int64_t r = 0; r < rows; ++r) lanes.store(c + r * p.ldc, load(block + r * kWidth));
    }
  }
}

// B's rows lie `ldb` apart. Whole vectors are computed in panels of up to five (three with 16 registers), the last few columns
// by last_columns().
static void product(const Product& p, const Real* b, int64_t ldb, int64_t cols) {
  constexpr int64_t kMost = kRegisters == 32 ? 5 : 3;
  int64_t j = 0;
  for (int64_t vecs = cols / kWidth; vecs > 0;) {
    const int64_t panels = (vecs + kMost - 1) / kMost, take = (vecs + panels - 1) / panels;
    switch (take) {
      case 5:
        panel<kRegisters == 32 ? 5 : 3>(p, b, ldb, j);
        break;
      case 4:
        panel<kRegisters == 32 ? 4 : 3>(p, b, ldb, j);
        break;
      case 3:
        panel<3>(p, b, ldb, j);
        break;
      case 2:
        panel<2>(p, b, ldb, j);
        break;
      default:
        panel<1>(p, b, ldb, j);
        break;
    }
    j += take * kWidth;
    vecs -= take;
  }
  if (j < cols) last_columns(p, b, ldb, j, cols - j);
}

// to [cols, padded] = from [rows, cols] transposed; the padding is 0.
static void transpose(const Real* from, int64_t ld, int64_t rows, int64_t cols, Real* to, int64_t padded) {
  const int64_t whole_rows = rows / kWidth * kWidth;
  for (int64_t i = 0; i < whole_rows; i += kWidth) {
    for_vectors(cols, [&](int64_t j, auto lanes) {
      Vec square[kWidth];
      for (int64_t k = 0; k < kWidth; ++k) {
        square[k] = lanes.load(from + (i + k) * ld + j);
        // The rows are too short for the processor's own prefetcher.
        if (j % 16 == 0) __builtin_prefetch(from + (i + k) * ld + j + 64);
      }
      transpose_square<kWidth / 2>(square, Lanes{});
      for (int64_t k = 0; k < kWidth; ++k) {
        if (k < cols - j) store(to + (j + k) * padded + i, square[k]);
      }
    });
  }
  for (int64_t j = 0; j < cols; ++j) {
    for (int64_t i = whole_rows; i < rows; ++i) to[j * padded + i] = from[i * ld + j];
    for (int64_t i = rows; i < padded; ++i) to[j * padded + i] = 0;
  }
}

void product(const Product& p, Real* transposed_b) {
  if (!transposed_b) return product(p, p.b, p.row_b, p.cols);
  const int64_t padded = whole_vectors(p.cols);
  transpose(p.b, p.col_b, p.cols, p.inner, transposed_b, padded);
  product(p, transposed_b, padded, padded);
}

static void multiply(const AttentionHead& h, const Product& p, Real* transposed_b = nullptr) {
  if (h.multiply) return h.multiply(p);
  product(p, transposed_b);
}

// --- forward ----------------------------------------------------------------------------------------------------------------

// Sums over keys are added up in blocks of this many, because a long sum in float loses digits.
constexpr int64_t kKeys = 128;

// Scores are stored transposed, [keys, queries]. A softmax runs down a column, so that each lane of a vector holds one query,
// and no sum over lanes is needed. s becomes exp(scale * (s - top)), not yet divided by its sum.
static void softmax_columns(Real* s, int64_t padded, int64_t tokens, Real scale, Real* top, Real* inverse) {
  for (int64_t i = 0; i < padded; i += kWidth) {
    Vec best = load(s + i), total{};
    for (int64_t j = 1; j < tokens; ++j) {
      const Vec x = load(s + j * padded + i);
      best = x > best ? x : best;
    }
    for (int64_t begin = 0; begin < tokens; begin += kKeys) {
      Vec sum{};
      for (int64_t j = begin; j < tokens && j < begin + kKeys; ++j) {
        const Vec e = exp((load(s + j * padded + i) - best) * scale);
        store(s + j * padded + i, e);
        sum += e;
      }
      total += sum;
    }
    store(top + i, best);
    store(inverse + i, static_cast<Real>(1) / total);
  }
}

void attention_head(const AttentionHead& h) {
  const int64_t T = h.tokens, D = h.head_dim, padded = whole_vectors(T);
  Real *qt = h.scratch, *s = qt + D * padded, *top = h.stats, *inverse = top + padded;
  multiply(h, {h.k, h.ld, 1, h.q, 1, h.ld, s, padded, T, T, D}, qt);  // s^T = k q^T
  softmax_columns(s, padded, T, h.scale, top, inverse);
  multiply(h, {s, 1, padded, h.v, h.ld, 1, h.out, h.ldo, T, D, T});  // o = p v
  for (int64_t i = 0; i < T; ++i) {
    Real* row = h.out + i * h.ldo;
    for_vectors(D, [&](int64_t j, auto lanes) { lanes.store(row + j, lanes.load(row + j) * inverse[i]); });
  }
}

// --- backward ---------------------------------------------------------------------------------------------------------------

// On entry p holds the scores and ds holds dp. On return p holds the recomputed probabilities, and
// ds = scale * p * (dp - sum over keys of p dp).
static void softmax_columns_backward(Real* p, Real* ds, int64_t padded, int64_t tokens, Real scale, const Real* top,
                                     const Real* inverse) {
  for (int64_t i = 0; i < padded; i += kWidth) {
    const Vec best = load(top + i), norm = load(inverse + i);
    Vec dot{};
    for (int64_t begin = 0; begin < tokens; begin += kKeys) {
      Vec sum{};
      for (int64_t j = begin; j < tokens && j < begin + kKeys; ++j) {
        const int64_t at = j * padded + i;
        const Vec e = exp((load(p + at) - best) * scale) * norm;
        store(p + at, e);
        sum += e * load(ds + at);
      }
      dot += sum;
    }
    for (int64_t j = 0; j < tokens; ++j) {
      const int64_t at = j * padded + i;
      store(ds + at, load(p + at) * (load(ds + at) - dot) * scale);
    }
  }
}

void attention_head_backward(const AttentionHead& h) {
  const int64_t T = h.tokens, D = h.head_dim, padded = whole_vectors(T);
  Real *transposed = h.scratch, *p = transposed + D * padded, *ds = p + T * padded;
  multiply(h, {h.k, h.ld, 1, h.q, 1, h.ld, p, padded, T, T, D}, transposed);       // recomputed: s^T = k q^T
  multiply(h, {h.v, h.ld, 1, h.dout, 1, h.ldo, ds, padded, T, T, D}, transposed);  // dp^T = v do^T
  softmax_columns_backward(p, ds, padded, T, h.scale, h.stats, h.stats + padded);
  multiply(h, {p, padded, 1, h.dout, h.ldo, 1, h.dv, h.ldd, T, D, T, {nullptr, h.add ? h.dv : nullptr, h.ldd}});  // dv = p^T do
  multiply(h, {ds, 1, padded, h.k, h.ld, 1, h.dq, h.ldd, T, D, T, {nullptr, h.add ? h.dq : nullptr, h.ldd}});     // dq = ds k
  multiply(h, {ds, padded, 1, h.q, h.ld, 1, h.dk, h.ldd, T, D, T, {nullptr, h.add ? h.dk : nullptr, h.ldd}});     // dk = ds^T q
}

}  // namespace hv::simd::HV_LEVEL
