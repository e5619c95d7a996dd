#include "core/kernels/blas.h"

#include <cblas.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <vector>

#include "core/check.h"
#include "core/parallel.h"

// OpenBLAS's own, in no header; null in a library that hides them.
extern "C" {
__attribute__((weak)) void* blas_memory_alloc(int place);
__attribute__((weak)) void blas_memory_free(void* buffer);
}

namespace hv {
namespace {

void pin_to_one_thread() {
  static const bool pinned = [] {
    const int ours = num_threads();
    openblas_set_num_threads(1);
    set_num_threads(ours);  // an OpenBLAS that is built on OpenMP has just changed OpenMP's number
    return true;
  }();
  static_cast<void>(pinned);
}

}  // namespace

void prepare_blas(int64_t threads) {
  static std::atomic<int64_t> ready = 0;
  if (threads <= ready) return;
  pin_to_one_thread();
  constexpr size_t kBuffer = size_t{128} << 20;  // of OpenBLAS for x86-64; older ones take less
  const size_t bytes = kBuffer * static_cast<size_t>(threads - ready);
  void* room = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  HV_CHECK(room != MAP_FAILED, "memory: out of memory: OpenBLAS takes ", kBuffer >> 20,
           " MiB of address space per thread, and there is no room for ", threads,
           "; use fewer --threads or a higher limit (ulimit -v)");
  munmap(room, bytes);
  // Taken now, and given back to OpenBLAS, which keeps them: later there may be no room.
  if (blas_memory_alloc && blas_memory_free) {
    std::vector<void*> buffers(static_cast<size_t>(threads));
    for (void*& buffer : buffers) buffer = blas_memory_alloc(0);
    for (void* buffer : buffers) blas_memory_free(buffer);
  }
  ready = threads;
}

void restart_without_blas_threads(char** argv) {
  const auto limited = [](auto what) {
    rlimit limit{};
    return getrlimit(what, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  };
  constexpr const char* kThreads = "OPENBLAS_NUM_THREADS";
  const char* now = std::getenv(kThreads);
  if ((now && std::string(now) == "1") || (!limited(RLIMIT_AS) && !limited(RLIMIT_DATA))) return;
  setenv(kThreads, "1", 1);
  execv("/proc/self/exe", argv);  // returns if that is not possible; then all is as it was
}

void blas_gemm(int64_t m, int64_t n, int64_t k, Real alpha, const BlasOperand& a, const BlasOperand& b, Real beta, Real* c,
               int64_t ldc, int64_t most) {
  pin_to_one_thread();
  // Rows that lie too far apart are taken one at a time.
  const bool far_a = a.ld > most, far_b = b.ld > most;
  const int64_t rows = ldc > most || (far_a && !a.transposed) ? 1 : most, cols = far_b && b.transposed ? 1 : most,
                depth = (far_a && a.transposed) || (far_b && !b.transposed) ? 1 : most;
  if (m > rows || n > cols || k > depth) {
    for (int64_t x = 0; x < m; x += rows) {
      for (int64_t y = 0; y < n; y += cols) {
        for (int64_t z = 0; z < k; z += depth) {
          const BlasOperand left{a.data + (a.transposed ? z * a.ld + x : x * a.ld + z), a.ld, a.transposed};
          const BlasOperand right{b.data + (b.transposed ? y * b.ld + z : z * b.ld + y), b.ld, b.transposed};
          blas_gemm(std::min(rows, m - x), std::min(cols, n - y), std::min(depth, k - z), alpha, left, right, z == 0 ? beta : 1,
                    c + x * ldc + y, ldc, most);
        }
      }
    }
    return;
  }
  const auto i = [most](int64_t v) {
    return static_cast<blasint>(std::min(v, most));
  };  // the distance of a single row may be more
  const CBLAS_TRANSPOSE ta = a.transposed ? CblasTrans : CblasNoTrans, tb = b.transposed ? CblasTrans : CblasNoTrans;
#ifdef HV_DOUBLE
  cblas_dgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), alpha, a.data, i(a.ld), b.data, i(b.ld), beta, c, i(ldc));
#else
  cblas_sgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), alpha, a.data, i(a.ld), b.data, i(b.ld), beta, c, i(ldc));
#endif
}

int blas_threads() { return openblas_get_num_threads(); }

std::string blas_name() {
  const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
  const auto second_space = config.find(' ', config.find(' ') + 1);
  const char* kinds[] = {"serial", "pthread", "openmp"};
  const int kind = openblas_get_parallel();
  return config.substr(0, second_space) + " " + (kind >= 0 && kind < 3 ? kinds[kind] : "");
}

std::string blas_kernel() { return openblas_get_corename(); }

}  // namespace hv
