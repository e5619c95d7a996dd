// The door to BLAS: cblas is named in blas.cpp and nowhere else.
//
// Invariants
//   1. OpenBLAS is pinned to one thread before its first product. Parallelism comes from calling it inside our own regions, on
//      blocks whose size depends on the shape alone (idea 4). On this project's machines that is twice as fast as OpenBLAS's
//      own threads, and its bits do not depend on the number of threads.
// Thread rule: any thread, also inside parallel regions.
#pragma once

#include <cstdint>
#include <string>

#include "core/storage.h"

namespace hv {

// One operand as BLAS sees it: rows `ld` apart; its transpose enters the product if `transposed`.
struct BlasOperand {
  const Real* data;
  int64_t ld;
  bool transposed;
};
// C [m, n], rows ldc apart, = alpha * op(A) op(B) + beta * C with an inner dimension of k. With beta 0, C is not read.
void blas_gemm(int64_t m, int64_t n, int64_t k, Real alpha, const BlasOperand& a, const BlasOperand& b, Real beta, Real* c,
               int64_t ldc);

int blas_threads();         // how many threads a product would use: 1 after the first one
std::string blas_name();    // "OpenBLAS 0.3.21 pthread"
std::string blas_kernel();  // "SkylakeX"

}  // namespace hv
