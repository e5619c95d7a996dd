// The only thread pool of the program (idea 4). OpenMP is named here and nowhere else.
//
// Invariants
//   1. Work is cut into blocks by its shape alone, never by the number of threads, and each output has one owner. So any number
//      of threads gives the same bits.
//   2. A body never throws, and never starts a parallel region of its own.
// Thread rule: any one thread may call parallel_for at a time; a nested call runs serially.
#pragma once

#include <omp.h>
#include <xmmintrin.h>

#include <cstdint>

namespace hv {

inline int num_threads() { return omp_get_max_threads(); }
inline void set_num_threads(int n) { omp_set_num_threads(n); }
// body() once on each thread of the pool, for what belongs to a thread.
template <class Body>
void on_every_thread(Body&& body) {
#pragma omp parallel
  body();
}
// Denormal numbers cost a hundred cycles each and mean nothing here: each thread of the pool is told to treat them as zero.
// The calling thread first: LLVM's OpenMP gives its setting to the others in each region, and undoes at the end what a region
// has set.
inline void flush_denormals() {
  const auto flush = [] { _mm_setcsr(_mm_getcsr() | 0x8040); };
  flush();
  on_every_thread(flush);
}
inline int thread_index() { return omp_get_thread_num(); }

// body(i) for i in [0, n), in any order, on any thread.
template <class Body>
void parallel_for(int64_t n, Body&& body) {
  if (n <= 0) return;
  if (n == 1 || omp_in_parallel() || num_threads() == 1) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t i = 0; i < n; ++i) body(i);
}

// Fixed blocks of `grain` items: body(begin, end). The grain must not depend on the number of threads.
template <class Body>
void parallel_blocks(int64_t n, int64_t grain, Body&& body) {
  parallel_for((n + grain - 1) / grain, [&](int64_t block) {
    const int64_t begin = block * grain;
    body(begin, begin + grain < n ? begin + grain : n);
  });
}

}  // namespace hv
