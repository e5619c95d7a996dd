// The only thread pool of the program (idea 4). OpenMP is named here and nowhere else.
//
// Invariants
//   1. Work is cut into blocks by its shape alone, never by the number of threads, and each output has one owner. So any number
//      of threads gives the same bits.
//   2. A body never throws, and never starts a parallel region of its own.
//   3. Every thread that runs a body flushes denormals to zero, from its first body on. No program has to initialise anything.
// Thread rule: any one thread may call parallel_for at a time; a nested call runs serially.
#pragma once

#include <omp.h>
#include <xmmintrin.h>

#include <cstdint>

#include "core/check.h"

namespace hv {

inline int num_threads() { return omp_get_max_threads(); }
inline void set_num_threads(int n) { omp_set_num_threads(n); }
// set_num_threads() for a number that a user typed. Without it there is one thread per core, or OMP_NUM_THREADS of them.
inline void init_compute(int threads) {
  HV_CHECK_USAGE(threads >= 1, "threads: at least 1 is needed, found ", threads);
  set_num_threads(threads);
}
inline int thread_index() { return omp_get_thread_num(); }

// Denormal numbers cost a hundred cycles each and mean nothing here: the calling thread treats them as zero from now on (bits
// FTZ and DAZ of MXCSR).
inline void flush_denormals() {
  static constinit thread_local bool flushed = false;
  if (flushed) return;
  _mm_setcsr(_mm_getcsr() | 0x8040);
  flushed = true;
}

// body() once on each thread of the pool, for what belongs to a thread.
// The calling thread flushes first: at the start of each region LLVM's OpenMP gives the caller's MXCSR to the other threads,
// and what a thread set inside an earlier region is lost. GNU's OpenMP leaves each thread its own.
template <class Body>
void on_every_thread(Body&& body) {
  flush_denormals();
#pragma omp parallel
  {
    flush_denormals();
    body();
  }
}

// body(i) for i in [0, n), in any order, on any thread.
template <class Body>
void parallel_for(int64_t n, Body&& body) {
  if (n <= 0) return;
  flush_denormals();
  if (n == 1 || omp_in_parallel() || num_threads() == 1) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
#pragma omp parallel
  {
    flush_denormals();
#pragma omp for schedule(dynamic, 1) nowait
    for (int64_t i = 0; i < n; ++i) body(i);
  }
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
