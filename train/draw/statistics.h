// Is a draw as uneven as this to be expected? Pearson's chi-square test.
#pragma once

#include <cmath>
#include <cstdint>

namespace hv::train {

// P(X >= x) for X chi-square distributed with `freedom` >= 1 degrees of freedom: finite sums, exact for whole degrees.
inline double chi_square_p(double x, int64_t freedom) {
  if (x <= 0) return 1;
  const bool odd = freedom % 2 != 0;
  double p = odd ? std::erfc(std::sqrt(x / 2)) : 0;
  // Terms (x/2)^a e^(-x/2) / Gamma(a + 1), for a = 0, 1, ... or 1/2, 3/2, ... below freedom / 2.
  for (int64_t k = 0; k < freedom / 2; ++k) {
    const double a = static_cast<double>(k) + (odd ? 0.5 : 0);
    p += std::exp(a * std::log(x / 2) - x / 2 - std::lgamma(a + 1));
  }
  return p < 1 ? p : 1;
}

}  // namespace hv::train
