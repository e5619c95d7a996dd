#include "core/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace hv {

void cross_entropy_rows(const Logits& logits, const WantedClasses& wanted, double* losses, Real* slopes) {
  const int64_t classes = logits.classes;
  parallel_blocks(logits.batch, std::max<int64_t>(1, 2048 / classes), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto x = [row = logits.data + i * logits.row, col = logits.col](int64_t k) {
        return static_cast<double>(row[k * col]);
      };
      double top = x(0), exponentials = 0, weight = 0, dot = 0;
      for (int64_t k = 1; k < classes; ++k) top = std::max(top, x(k));
      for (int64_t k = 0; k < classes; ++k) {
        const double t = wanted(i, k);
        exponentials += std::exp(x(k) - top);
        weight += t;
        if (t != 0) dot += t * x(k);  // a class that is not wanted may be at -inf
      }
      const double lse = top + std::log(exponentials);
      losses[i] = weight * lse - dot;
      if (!slopes) continue;
      for (int64_t k = 0; k < classes; ++k) {
        const double p = std::exp(x(k) - lse);
        slopes[i * classes + k] = static_cast<Real>((p * weight - wanted(i, k)) / static_cast<double>(logits.batch));
      }
    }
  });
}

}  // namespace hv
