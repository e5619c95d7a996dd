#include "core/kernels/blas.h"

#include <cblas.h>

#include "core/parallel.h"

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

void blas_gemm(int64_t m, int64_t n, int64_t k, Real alpha, const BlasOperand& a, const BlasOperand& b, Real beta, Real* c,
               int64_t ldc) {
  pin_to_one_thread();
  const auto i = [](int64_t v) { return static_cast<blasint>(v); };
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
