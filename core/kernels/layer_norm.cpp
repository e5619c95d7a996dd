#include "core/kernels/layer_norm.h"

#include <algorithm>

#include "core/kernels/gemm.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {

void layer_norm_forward(const NormRows& rows, const Real* shift, Real eps, Real* y) {
  const auto& simd = simd::kernels();
  const int64_t n = rows.n;
  const RowsIn& x = rows.x;
  const PartTimer timer(Part::norm_activation);
  parallel_blocks(rows.count, row_block(rows.count), [&](int64_t begin, int64_t end) {
    simd.layer_norm(x.data + begin * x.ld, x.ld, rows.gain, shift, eps, y + begin * n, n, rows.mean + begin, rows.rstd + begin,
                    end - begin, n);
  });
}

void layer_norm_backward(const NormRows& rows, const Real* g, const RowsOut& dx, const RowsOut& dgain, const RowsOut& dshift) {
  const auto& simd = simd::kernels();
  const int64_t n = rows.n;
  const RowsIn& x = rows.x;
  const PartTimer timer(Part::norm_activation);
  const Segments cut(rows.count, n);
  Storage sums(2 * cut.count * n), unwanted(dx ? 0 : rows.count * n);  // the kernel writes dx even if nobody wants it
  std::fill_n(sums.data(), sums.size(), static_cast<Real>(0));
  Real *const gain_sums = sums.data(), *const shift_sums = gain_sums + cut.count * n;
  Real* const to = dx ? dx.data : unwanted.data();
  const int64_t ld = dx ? dx.ld : n;
  parallel_for(cut.count, [&](int64_t s) {
    const int64_t begin = cut.begin(s), end = cut.begin(s + 1);
    simd.layer_norm_backward(g + begin * n, n, x.data + begin * x.ld, x.ld, rows.gain, rows.mean + begin, rows.rstd + begin,
                             to + begin * ld, ld, dx.add, gain_sums + s * n, shift_sums + s * n, end - begin, n);
  });
  if (dgain) add_partials(gain_sums, cut.count, 1, n, dgain.data, n, dgain.add);
  if (dshift) add_partials(shift_sums, cut.count, 1, n, dshift.data, n, dshift.add);
}

}  // namespace hv
