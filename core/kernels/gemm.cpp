#include "core/kernels/gemm.h"

#include <algorithm>

#include "core/check.h"
#include "core/kernels/bf16.h"
#include "core/kernels/blas.h"
#include "core/kernels/precision.h"
#include "core/kernels/simd.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

// BLAS wants a leading dimension of at least the row length, even if there is only one row.
BlasOperand operand(const Matrix& m) {
  HV_CHECK(m.unit(), "gemm: no unit stride, or rows that overlap: ", m.rows, " x ", m.cols, " with strides ", m.row, " and ",
           m.col);
  const Matrix plain = m.plain() ? m : m.transposed();
  return {m.data, std::max({plain.rows > 1 ? plain.row : 1, plain.cols, int64_t{1}}), !m.plain()};
}

bool in_bf16(int64_t smallest) { return precision() == Precision::bf16 && smallest >= kBf16Least; }

}  // namespace

void gemm(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha, Real beta) {
  if (a.rows == 0 || b.cols == 0) return;
  if (a.cols == 0) {  // an empty sum: C = beta C
    for (int64_t i = 0; i < a.rows; ++i) {
      for (int64_t j = 0; j < b.cols; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    }
    return;
  }
  const BlasOperand left = operand(a), right = operand(b);
  const PartTimer timer(Part::gemm);
#ifndef HV_DOUBLE
  if (alpha == 1 && (beta == 0 || beta == 1) && in_bf16(std::min({a.rows, a.cols, b.cols}))) {
    return gemm_bf16(a, b, c, ldc, {nullptr, beta == 1 ? c : nullptr, ldc});
  }
#endif
  blas_gemm(a.rows, b.cols, a.cols, alpha, left, right, beta, c, std::max<int64_t>(ldc, b.cols));
}

static void gemm_plus(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, const Plus& plus) {
  const bool in_place = !plus.bias && plus.rows == c, fill = !in_place && (plus.bias || plus.rows);
  if (fill) simd::kernels().fill_rows(plus.bias, plus.rows, plus.ld, c, ldc, a.rows, b.cols);
  gemm(a, b, c, ldc, 1, fill || in_place ? 1 : 0);
}

RightOperand::RightOperand(const Matrix& matrix)
    : matrix_(matrix), packed_(in_bf16(std::min(matrix.rows, matrix.cols))), memory_(packed_ ? packed_bf16(matrix) : 0) {
  prepare_blas();
  if (packed_) pack_bf16(matrix, memory_.data());
}

void gemm(const Matrix& a, const RightOperand& b, Real* c, int64_t ldc, const Plus& plus) {
#ifndef HV_DOUBLE
  if (b.packed_ && a.rows >= kBf16Least) {
    const PartTimer timer(Part::gemm);
    return gemm_packed_bf16(a, b.matrix_, b.memory_.data(), c, ldc, plus);
  }
#endif
  gemm_plus(a, b.matrix_, c, ldc, plus);
}

void gemm_columns(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, const Plus& plus) {
  const PartTimer timer(Part::gemm);
  // A piece of B stays in the cache. If B's memory runs along K (it is W^T), the piece is transposed there. BLAS, which is made
  // for larger products, would spend half of the time on packing A and B. A piece is two vectors wide, so that the threads
  // share the columns of narrow models evenly; it is deep, because C is read and written once per piece.
  const bool own = precision() == Precision::fp32 && b.row == 1 && a.col == 1;
  const int64_t lanes = simd::kernels().lanes, columns = own ? 2 * lanes : 64, depth = 512;
  if (!own || b.cols % lanes != 0) prepare_blas(own ? 1 : num_threads());  // of our own pieces only the last may need BLAS
  Storage workspace(own ? num_threads() * depth * columns : 0);
  parallel_blocks(b.cols, columns, [&](int64_t begin, int64_t end) {
    const Plus start{plus.bias ? plus.bias + begin : nullptr, plus.rows ? plus.rows + begin : nullptr, plus.ld};
    Real* to = c + begin;
    if (!own || (end - begin) % lanes != 0 || a.cols == 0) return gemm_plus(a, b.cols_of(begin, end), to, ldc, start);
    // Probably this thread's next piece. It is only prefetched: no bit depends on it.
    const int64_t later = begin + num_threads() * columns;
    for (int64_t k = 0; k < a.cols; k += depth) {
      const Real *piece = b.data + begin * b.col + k, *next = later < b.cols ? b.data + later * b.col : nullptr;
      if (k + depth < a.cols) next = piece + depth;
      simd::kernels().product({a.data + k, a.row, 1, piece, 1, b.col, to, ldc, a.rows, end - begin, std::min(depth, a.cols - k),
                               k == 0 ? start : Plus{nullptr, to, ldc}, next},
                              workspace.data() + thread_index() * depth * columns);
    }
  });
}

void gemm_parallel(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha, Real beta) {
  const PartTimer timer(Part::gemm);
  prepare_blas();
  if (a.rows >= 2 * kRowBlock || a.rows >= b.cols) {
    if (alpha == 1 && beta == 0) {
      const RightOperand right(b);
      return parallel_blocks(a.rows, row_block(a.rows),
                             [&](int64_t begin, int64_t end) { gemm(a.rows_of(begin, end), right, c + begin * ldc, ldc); });
    }
    parallel_blocks(a.rows, row_block(a.rows),
                    [&](int64_t begin, int64_t end) { gemm(a.rows_of(begin, end), b, c + begin * ldc, ldc, alpha, beta); });
  } else {
    parallel_blocks(b.cols, kRowBlock / 2,
                    [&](int64_t begin, int64_t end) { gemm(a, b.cols_of(begin, end), c + begin, ldc, alpha, beta); });
  }
}

void gemm_reduce(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real beta) {
  const Segments cut(a.cols, a.rows * b.cols);
  prepare_blas();
  if (cut.count == 1) return gemm(a, b, c, ldc, 1, beta);
  const PartTimer timer(Part::gemm);
  Storage partials(cut.count * a.rows * b.cols);
  parallel_for(cut.count, [&](int64_t s) {
    const int64_t begin = cut.begin(s), end = cut.begin(s + 1);
    gemm(a.cols_of(begin, end), b.rows_of(begin, end), partials.data() + s * a.rows * b.cols, b.cols);
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
  const int64_t most = outputs <= (int64_t{1} << 19) ? 8 : 4;  // partial sums cost memory traffic: fewer if they are large
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

}  // namespace hv
