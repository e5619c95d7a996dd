// Pearson's chi-square test: how probable it is that the counts of a random draw are at least as uneven as those observed.
// Thread rule: pure functions.
#pragma once

#include <cmath>
#include <cstdint>

namespace hv::train {

// P(X >= x) for a chi-square distributed X with `freedom` >= 1 degrees of freedom. For a whole number of degrees it is a finite
// sum (Abramowitz and Stegun 1964, equations 26.4.4 and 26.4.5), so it is exact up to rounding.
inline double chi_square_p(double x, int64_t freedom) {
  if (x <= 0) return 1;
  const bool odd = freedom % 2 != 0;
  double p = odd ? std::erfc(std::sqrt(x / 2)) : 0;
  // The sum of (x/2)^a e^(-x/2) / Gamma(a + 1) over all a < freedom / 2 in 0, 1, ... (even degrees) or 1/2, 3/2, ... (odd).
  for (int64_t k = 0; k < freedom / 2; ++k) {
    const double a = static_cast<double>(k) + (odd ? 0.5 : 0);
    p += std::exp(a * std::log(x / 2) - x / 2 - std::lgamma(a + 1));
  }
  return p < 1 ? p : 1;
}

}  // namespace hv::train
