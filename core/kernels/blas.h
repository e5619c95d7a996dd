// The door to BLAS: cblas is named in blas.cpp and nowhere else.
//
// Invariants
//   1. OpenBLAS is pinned to one thread before its first product. Parallelism comes from calling it inside our own regions, on
//      blocks whose size depends on the shape alone (idea 4). On this project's machines that is twice as fast as OpenBLAS's
//      own threads, and its bits do not depend on the number of threads.
//   2. A lack of memory for OpenBLAS's buffers is an error of prepare_blas(). OpenBLAS itself would try for ever.
// Thread rule: blas_gemm runs on any thread, also inside parallel regions; the other functions do not.
#pragma once

#include <cstdint>
#include <string>

#include "core/parallel.h"
#include "core/storage.h"

namespace hv {

// One operand as BLAS sees it: rows `ld` apart; its transpose enters the product if `transposed`.
struct BlasOperand {
  const Real* data;
  int64_t ld;
  bool transposed;
};
// C [m, n], rows ldc apart, = alpha * op(A) op(B) + beta * C with an inner dimension of k. With beta 0, C is not read.
// BLAS counts in 32 bits; a product with a size or distance above `most` is cut into pieces.
inline constexpr int64_t kBlasMost = INT32_MAX;
void blas_gemm(int64_t m, int64_t n, int64_t k, Real alpha, const BlasOperand& a, const BlasOperand& b, Real beta, Real* c,
               int64_t ldc, int64_t most = kBlasMost);

// Pins OpenBLAS and lets it take a buffer for each of `threads` threads. To be called before each parallel region in which so
// many of them may call blas_gemm; does nothing if they have their buffers already.
void prepare_blas(int64_t threads = num_threads());

// For the first line of main(). When it is loaded, before main(), OpenBLAS starts threads that we never use; each takes 128 MiB
// of address space. Where that is limited (ulimit -v), a thread that finds none would try for ever, and the program could not
// end. So this starts the program again, with an environment that tells OpenBLAS to do without threads.
void restart_without_blas_threads(char** argv);

int blas_threads();         // how many threads a product would use: 1 after the first one
std::string blas_name();    // "OpenBLAS 0.3.21 pthread"
std::string blas_kernel();  // "SkylakeX"

}  // namespace hv
