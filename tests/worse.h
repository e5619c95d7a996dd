// The larger of two errors. NaN is the worst, also as `b`: std::max(a, NaN) is `a`, so a test that looks for the largest error
// with it passes when all results are NaN.
#pragma once

#include <algorithm>
#include <cmath>

namespace hv::test {

inline double worse(double a, double b) { return std::isnan(b) ? INFINITY : std::max(a, b); }

}  // namespace hv::test
