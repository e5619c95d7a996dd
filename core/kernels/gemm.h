// Matrix products, cut into blocks for all cores.
//
// Invariants
//   1. How a product is cut depends on its shape alone, so its bits do not depend on the number of threads (idea 4).
//   2. Any operand with one unit stride is read in place: slices and transposes are never copied.
// Thread rule: gemm() may be called inside a parallel region; the other functions open one.
#pragma once

#include <cstdint>

#include "core/kernels/simd.h"

namespace hv {

struct Matrix {  // a view: element (i, j) at data[i * row + j * col]
  const Real* data;
  int64_t rows, cols;
  int64_t row, col;
  Matrix transposed() const { return {data, cols, rows, col, row}; }
  Matrix rows_of(int64_t begin, int64_t end) const { return {data + begin * row, end - begin, cols, row, col}; }
  Matrix cols_of(int64_t begin, int64_t end) const { return {data + begin * col, rows, end - begin, row, col}; }
  // Does BLAS accept it: are the rows dense, and do they not overlap? The stride of a dimension of size 1 means nothing.
  bool plain() const { return (col == 1 || cols <= 1) && (row >= cols || rows <= 1); }
  // Does BLAS accept it or its transpose, without a copy?
  bool unit() const { return plain() || transposed().plain(); }
};

// C [M, N], row stride ldc, = alpha * A B + beta * C, on the calling thread. With beta 0, C is not read.
void gemm(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha = 1, Real beta = 0);
// The same on all cores: C is cut into fixed blocks of rows (of columns, if there are few rows).
void gemm_parallel(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha = 1, Real beta = 0);
// For a long inner dimension and a small C (dW = dY^T X): the inner dimension is cut into fixed segments, whose partial
// products are added in order.
void gemm_reduce(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real beta = 0);

// The right operand of many products, for example of one per block of rows. In bf16 it is packed here, once for all of them.
class RightOperand {
 public:
  explicit RightOperand(const Matrix& matrix);  // outside parallel regions; a view: its memory must outlive it

 private:
  friend void gemm(const Matrix& a, const RightOperand& b, Real* c, int64_t ldc, const Plus& plus);
  Matrix matrix_;
  bool packed_;
  Storage memory_;
};
// C [M, N] = A B + plus, on the calling thread.
void gemm(const Matrix& a, const RightOperand& b, Real* c, int64_t ldc, const Plus& plus = {});

// C [M, N] = A B + plus on all cores for few rows (one image): C is cut into fixed blocks of columns.
void gemm_columns(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, const Plus& plus = {});

// How work along M is cut: by the shape alone. A block of rows stays in the second-level cache and is still long enough for
// BLAS's inner loops.
inline constexpr int64_t kRowBlock = 256;
int64_t row_block(int64_t rows);  // rows per block, about kRowBlock
// The same for sums over M: `count` segments, each with a partial result of `outputs` elements, added in order afterwards.
struct Segments {
  Segments(int64_t rows, int64_t outputs);
  int64_t begin(int64_t segment) const { return rows * segment / count; }
  int64_t rows, count;
};
// C [rows, cols] (+)= the sum of `count` dense partial results.
void add_partials(const Real* partials, int64_t count, int64_t rows, int64_t cols, Real* c, int64_t ldc, bool add);

}  // namespace hv
