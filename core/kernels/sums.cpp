#include "core/kernels/sums.h"

#include <algorithm>

namespace hv {

void add_sums(const double* partials, int64_t count, int64_t stride, int64_t n, const RowsOut& to) {
  if (!to) return;
  for (int64_t i = 0; i < n; ++i) {
    double sum = to.add ? to.data[i] : 0;
    for (int64_t s = 0; s < count; ++s) sum += partials[s * stride + i];
    to.data[i] = static_cast<Real>(sum);
  }
}

void norm_backward_rows(const NormGradient& g, int64_t rows, int64_t n) {
  constexpr int64_t kRows = 64;
  Real *const dgain = g.workspace, *const dshift = dgain + n;
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    std::fill_n(g.workspace, 2 * n, static_cast<Real>(0));
    simd::kernels().layer_norm_backward(g.d.data + begin * g.d.ld, g.d.ld, g.x.data + begin * g.x.ld, g.x.ld, g.gain,
                                        g.mean + begin, g.rstd + begin, g.dx.data + begin * g.dx.ld, g.dx.ld, g.dx.add, dgain,
                                        dshift, std::min(kRows, rows - begin), n);
    for (int64_t i = 0; i < n; ++i) g.dgain[i] += dgain[i];
    for (int64_t i = 0; i < n; ++i) g.dshift[i] += dshift[i];
  }
}

}  // namespace hv
