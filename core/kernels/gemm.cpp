#include "core/kernels/gemm.h"

#include <cblas.h>

#include <algorithm>

#include "core/check.h"
#include "core/kernels/bf16.h"
#include "core/kernels/simd.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

template <class T>
void blas(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b,
          int64_t ldb, T beta, T* c, int64_t ldc) {
  const auto i = [](int64_t v) { return static_cast<blasint>(v); };
  if constexpr (sizeof(T) == sizeof(float)) {
    cblas_sgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
  } else {
    cblas_dgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
  }
}

// BLAS wants a leading dimension of at least the row length, also where there is just one row.
struct Operand {
  CBLAS_TRANSPOSE trans;
  int64_t ld;
  explicit Operand(const Matrix& m) {
    HV_CHECK(m.unit(), "gemm: no unit stride, or rows that overlap: ", m.rows, " x ", m.cols, " with strides ", m.row, " and ",
             m.col);
    trans = m.plain() ? CblasNoTrans : CblasTrans;
    ld = m.plain() ? std::max({m.rows > 1 ? m.row : 1, m.cols, int64_t{1}})
                   : std::max({m.cols > 1 ? m.col : 1, m.rows, int64_t{1}});
  }
};

Precision wanted = Precision::fp32;

Matrix rows_of(const Matrix& m, int64_t begin, int64_t end) {
  return {m.data + begin * m.row, end - begin, m.cols, m.row, m.col};
}
Matrix cols_of(const Matrix& m, int64_t begin, int64_t end) {
  return {m.data + begin * m.col, m.rows, end - begin, m.row, m.col};
}

}  // namespace

void gemm(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha, Real beta) {
  if (a.rows == 0 || b.cols == 0) return;
  if (a.cols == 0) {  // an empty sum: C = beta C
    for (int64_t i = 0; i < a.rows; ++i) {
      for (int64_t j = 0; j < b.cols; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    }
    return;
  }
  const Operand left(a), right(b);
  const PartTimer timer(Part::gemm);
#ifndef HV_DOUBLE
  if (wanted == Precision::bf16 && alpha == 1 && (beta == 0 || beta == 1) && std::min({a.rows, a.cols, b.cols}) >= 16) {
    return gemm_bf16(a, b, c, ldc, {nullptr, beta == 1 ? c : nullptr, ldc});
  }
#endif
  blas<Real>(left.trans, right.trans, a.rows, b.cols, a.cols, alpha, a.data, left.ld, b.data, right.ld, beta, c,
             std::max<int64_t>(ldc, b.cols));
}

static void gemm_plus(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, const Plus& plus) {
  const bool in_place = !plus.bias && plus.rows == c, fill = !in_place && (plus.bias || plus.rows);
  if (fill) simd::kernels().fill_rows(plus.bias, plus.rows, plus.ld, c, ldc, a.rows, b.cols);
  gemm(a, b, c, ldc, 1, fill || in_place ? 1 : 0);
}

RightOperand::RightOperand(const Matrix& matrix)
    : matrix_(matrix),
      packed_(wanted == Precision::bf16 && std::min(matrix.rows, matrix.cols) >= 16),
      memory_(packed_ ? packed_bf16(matrix) : 0) {
  if (packed_) pack_bf16(matrix, memory_.data());
}

void gemm(const Matrix& a, const RightOperand& b, Real* c, int64_t ldc, const Plus& plus) {
#ifndef HV_DOUBLE
  if (b.packed_ && a.rows >= 16) {
    const PartTimer timer(Part::gemm);
    return gemm_packed_bf16(a, b.matrix_, b.memory_.data(), c, ldc, plus);
  }
#endif
  gemm_plus(a, b.matrix_, c, ldc, plus);
}

void gemm_columns(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, const Plus& plus) {
  const PartTimer timer(Part::gemm);
  // A piece of B stays in the cache, turned there where its memory rows run along K (W^T). BLAS, which is made for larger
  // products, would spend half of the time on packing A and B. A piece is two vectors wide, so that narrow models' columns are
  // shared evenly, and deep, because C is read and written once a piece.
  const bool own = precision() == Precision::fp32 && b.row == 1 && a.col == 1;
  const int64_t lanes = simd::kernels().lanes, columns = own ? 2 * lanes : 64, depth = 512;
  Storage rooms(own ? num_threads() * depth * columns : 0);
  parallel_blocks(b.cols, columns, [&](int64_t begin, int64_t end) {
    const Plus start{plus.bias ? plus.bias + begin : nullptr, plus.rows ? plus.rows + begin : nullptr, plus.ld};
    Real* to = c + begin;
    if (!own || (end - begin) % lanes != 0 || a.cols == 0) return gemm_plus(a, cols_of(b, begin, end), to, ldc, start);
    const int64_t later =
        begin + num_threads() * columns;  // likely this thread's next piece; only a hint: no bit depends on it
    for (int64_t k = 0; k < a.cols; k += depth) {
      const Real *piece = b.data + begin * b.col + k, *next = later < b.cols ? b.data + later * b.col : nullptr;
      if (k + depth < a.cols) next = piece + depth;
      simd::kernels().product({a.data + k, a.row, 1, piece, 1, b.col, to, ldc, a.rows, end - begin, std::min(depth, a.cols - k),
                               k == 0 ? start : Plus{nullptr, to, ldc}, next},
                              rooms.data() + thread_index() * depth * columns);
    }
  });
}

void gemm_parallel(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha, Real beta) {
  const PartTimer timer(Part::gemm);
  if (a.rows >= 2 * kRowBlock || a.rows >= b.cols) {
    if (alpha == 1 && beta == 0) {
      const RightOperand right(b);
      return parallel_blocks(a.rows, row_block(a.rows),
                             [&](int64_t begin, int64_t end) { gemm(rows_of(a, begin, end), right, c + begin * ldc, ldc); });
    }
    parallel_blocks(a.rows, row_block(a.rows),
                    [&](int64_t begin, int64_t end) { gemm(rows_of(a, begin, end), b, c + begin * ldc, ldc, alpha, beta); });
  } else {
    parallel_blocks(b.cols, kRowBlock / 2,
                    [&](int64_t begin, int64_t end) { gemm(a, cols_of(b, begin, end), c + begin, ldc, alpha, beta); });
  }
}

void gemm_reduce(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real beta) {
  const Segments cut(a.cols, a.rows * b.cols);
  if (cut.count == 1) return gemm(a, b, c, ldc, 1, beta);
  const PartTimer timer(Part::gemm);
  Storage partials(cut.count * a.rows * b.cols);
  parallel_for(cut.count, [&](int64_t s) {
    const int64_t begin = cut.begin(s), end = cut.begin(s + 1);
    gemm(cols_of(a, begin, end), rows_of(b, begin, end), partials.data() + s * a.rows * b.cols, b.cols);
  });
  add_partials(partials.data(), cut.count, a.rows, b.cols, c, ldc, beta != 0);
}

int64_t row_block(int64_t rows) {
  // About kRowBlock rows each, and a number of blocks that two, four or eight threads share evenly.
  int64_t blocks = std::max<int64_t>(1, (rows + kRowBlock / 2) / kRowBlock);
  if (blocks > 4) blocks = (blocks + 4) / 8 * 8;
  return std::max<int64_t>(1, (rows + blocks - 1) / blocks);
}

Segments::Segments(int64_t rows_, int64_t outputs) : rows(rows_) {
  const int64_t most = outputs <= (int64_t{1} << 19) ? 8 : 4;  // partial sums cost memory traffic: fewer where they are large
  count = std::clamp<int64_t>(rows / kRowBlock, 1, most);
}

void add_partials(const Real* partials, int64_t count, int64_t rows, int64_t cols, Real* c, int64_t ldc, bool add) {
  const auto& simd = simd::kernels();
  parallel_blocks(rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(cols, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Real* out = c + i * ldc;
      if (!add) std::fill_n(out, cols, static_cast<Real>(0));
      for (int64_t s = 0; s < count; ++s) simd.accumulate(partials + (s * rows + i) * cols, out, cols);
    }
  });
}

void set_precision(Precision p) {
  HV_CHECK_USAGE(p == Precision::fp32 || bf16_unit() != Bf16Unit::none,
                 "precision: this processor has no bf16 units; use fp32");
  if (p == Precision::bf16) prepare_bf16();
  wanted = p;
}
Precision precision() { return wanted; }

void init_compute(int threads) {
  HV_CHECK_USAGE(threads >= 1, "threads: at least 1 is needed, found ", threads);
  openblas_set_num_threads(1);
  set_num_threads(threads);
  flush_denormals();
}

std::string blas_name() {
  const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
  const auto second_space = config.find(' ', config.find(' ') + 1);
  const char* kinds[] = {"serial", "pthread", "openmp"};
  const int kind = openblas_get_parallel();
  return config.substr(0, second_space) + " " + (kind >= 0 && kind < 3 ? kinds[kind] : "");
}

std::string blas_kernel() { return openblas_get_corename(); }

}  // namespace hv
