// Matrix products: the one door to BLAS. cblas is named in gemm.cpp and nowhere else.
//
// Invariants
//   1. OpenBLAS is pinned to one thread; parallelism comes from calling it inside our own regions, on blocks whose size depends
//      on the shape alone (idea 4). On this project's machines that is twice as fast as OpenBLAS's own threads, and its bits do
//      not depend on the number of threads.
//   2. Any operand with one unit stride is taken as it is: slices and transposes are never copied.
// Thread rule: gemm() may be called inside a parallel region; the others open one.
#pragma once

#include <cstdint>
#include <string>

#include "core/kernels/simd.h"

namespace hv {

struct Matrix {  // a view: element (i, j) at data[i * row + j * col]
  const Real* data;
  int64_t rows, cols;
  int64_t row, col;
  Matrix transposed() const { return {data, cols, rows, col, row}; }
  // Are the rows dense and apart, as BLAS wants them? The stride of a dimension of size 1 means nothing.
  bool plain() const { return (col == 1 || cols <= 1) && (row >= cols || rows <= 1); }
  // Can BLAS take it, or its transpose, without a copy?
  bool unit() const { return plain() || transposed().plain(); }
};

// The right operand of many products, one a block of rows: made ready once.
class RightOperand {
 public:
  explicit RightOperand(const Matrix& matrix);  // outside parallel regions; a view: keep what it sees

 private:
  friend void gemm(const Matrix& a, const RightOperand& b, Real* c, int64_t ldc, const Plus& plus);
  Matrix matrix_;
  bool packed_;
  Storage memory_;
};
// C [M, N] = A B + plus, on the calling thread.
void gemm(const Matrix& a, const RightOperand& b, Real* c, int64_t ldc, const Plus& plus = {});

// The same on all cores for few rows (one image): C is cut into fixed blocks of columns.
void gemm_columns(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, const Plus& plus = {});

// C [M, N], row stride ldc, = alpha * A B + beta * C, on the calling thread. With beta 0, C is not read.
void gemm(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha = 1, Real beta = 0);
// The same on all cores: C is cut into fixed blocks of rows (and of columns where rows are few).
void gemm_parallel(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real alpha = 1, Real beta = 0);
// For a long inner dimension and a small C (dW = dY^T X): the inner dimension is cut into fixed segments, whose partial
// products are added in order.
void gemm_reduce(const Matrix& a, const Matrix& b, Real* c, int64_t ldc, Real beta = 0);

// How work along M is cut: by the shape alone. A block of rows stays in the second-level cache and still fills BLAS's inner
// loops.
inline constexpr int64_t kRowBlock = 256;
int64_t row_block(int64_t rows);  // rows a block, about kRowBlock
// The same for sums over M: `count` segments, each with a partial result of `outputs` elements, added in order afterwards.
struct Segments {
  Segments(int64_t rows, int64_t outputs);
  int64_t begin(int64_t segment) const { return rows * segment / count; }
  int64_t rows, count;
};
// C [rows, cols] (+)= the sum of `count` dense partial results.
void add_partials(const Real* partials, int64_t count, int64_t rows, int64_t cols, Real* c, int64_t ldc, bool add);

// How operands enter a product. bf16: rounded to 8 bits of mantissa, on the processor's matrix units (core/kernels/bf16.h),
// sums in float32; small products (a dimension under 16: the classifier, say) and all else stay as they are. Set between steps.
enum class Precision { fp32, bf16 };
void set_precision(Precision precision);
Precision precision();

// Sets one BLAS thread and flushes denormals to zero on every thread; called once by every program at its start.
void init_compute(int threads);
std::string blas_name();    // "OpenBLAS 0.3.21 pthread"
std::string blas_kernel();  // "SkylakeX"

}  // namespace hv
