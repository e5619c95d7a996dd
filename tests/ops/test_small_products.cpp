// The small product of attention (core/kernels/simd/attention.cpp) at sizes that are no whole vectors, against plain loops.
// `make test` runs this at every SIMD level.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels/simd.h"

namespace hv::test {
namespace {

constexpr Real kOutside = std::numeric_limits<Real>::quiet_NaN();  // whatever reads or writes beside its rows becomes visible

// rows x cols numbers in rows of `ld`, NaN beside them.
std::vector<Real> numbers(int64_t rows, int64_t cols, int64_t ld, int64_t seed) {
  std::vector<Real> all(static_cast<size_t>(rows * ld), kOutside);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j)
      all[static_cast<size_t>(i * ld + j)] = static_cast<Real>((i * 37 + j * 11 + seed) % 19 - 9) / 8;
  }
  return all;
}

void check(int64_t m, int64_t n, int64_t k, bool bias, bool add) {
  CAPTURE(n);
  CAPTURE(k);
  const int64_t ld = 40;  // of B and C
  const std::vector<Real> a = numbers(m, k, k + 1, 1), b = numbers(k, n, ld, 5), more = numbers(1, n, n, 3);
  const std::vector<Real> before = numbers(m, n, ld, 7);
  std::vector<Real> c = before;
  const Plus plus{bias ? more.data() : nullptr, add ? c.data() : nullptr, ld};
  simd::kernels().product({a.data(), k + 1, 1, b.data(), ld, 1, c.data(), ld, m, n, k, plus}, nullptr);
  double worst = 0;
  bool beside = true;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < ld; ++j) {
      const size_t at = static_cast<size_t>(i * ld + j);
      if (j >= n) {
        beside = beside && std::isnan(c[at]);
        continue;
      }
      double sum = (add ? before[at] : 0) + (bias ? more[static_cast<size_t>(j)] : 0);
      for (int64_t x = 0; x < k; ++x) sum += a[static_cast<size_t>(i * (k + 1) + x)] * b[static_cast<size_t>(x * ld + j)];
      worst = std::isnan(c[at]) ? 1 : std::max(worst, std::abs(static_cast<double>(c[at]) - sum));
    }
  }
  CHECK(worst < 1e-3);
  CHECK(beside);
}

}  // namespace

TEST_CASE("every operation: a product of any size is right and leaves alone what lies beside it") {
  for (int64_t n = 1; n <= 33; ++n) {
    check(14, n, 9, false, false);
    check(27, n, 130, true, true);  // an inner dimension of more than one piece
    check(1, n, 1, false, true);
    check(3, n, 0, true, false);
  }
}

}  // namespace hv::test
