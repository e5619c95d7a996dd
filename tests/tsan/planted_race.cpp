// What ThreadSanitizer must report and what it must not: `planted-race race` adds to one number from two threads at once,
// `planted-race sound` adds the same numbers in turn, separated only by the end of each parallel region.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>

#include "core/parallel.h"

int main(int argc, char** argv) {
  hv::set_num_threads(2);
  const bool race = argc > 1 && std::strcmp(argv[1], "race") == 0;
  double sum = 0, of[2] = {};
  for (int turn = 0; turn < 100; ++turn) {
    std::atomic<int> here{0};
    hv::parallel_for(2, [&](int64_t i) {
      // Each thread takes one of the two and waits until both have arrived. Relaxed, so that this orders nothing else.
      here.fetch_add(1, std::memory_order_relaxed);
      while (here.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
      (race ? sum : of[(i + turn) % 2]) += 1;
    });
    sum += of[0] + of[1];
    of[0] = of[1] = 0;
  }
  std::printf("%g\n", sum);
}
