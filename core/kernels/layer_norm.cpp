#include "core/kernels/layer_norm.h"

#include <vector>

#include "core/kernels/gemm.h"
#include "core/kernels/sums.h"
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
  const int64_t n = rows.n;
  const PartTimer timer(Part::norm_activation);
  const Segments cut(rows.count, n);
  std::vector<double> sums(static_cast<size_t>(2 * cut.count * n));  // per segment: dgain, dshift
  Storage unwanted(dx ? 0 : rows.count * n);                         // the kernel writes dx even if nobody wants it
  Storage workspace(num_threads() * 2 * n);
  Real* const to = dx ? dx.data : unwanted.data();
  const int64_t ld = dx ? dx.ld : n;
  parallel_for(cut.count, [&](int64_t s) {
    const int64_t begin = cut.begin(s), end = cut.begin(s + 1);
    double* const sum = sums.data() + 2 * s * n;
    norm_backward_rows({{g + begin * n, n},
                        {rows.x.data + begin * rows.x.ld, rows.x.ld},
                        rows.gain,
                        rows.mean + begin,
                        rows.rstd + begin,
                        {to + begin * ld, ld, dx.add},
                        sum,
                        sum + n,
                        workspace.data() + thread_index() * 2 * n},
                       end - begin, n);
  });
  add_sums(sums.data(), cut.count, 2 * n, n, dgain);
  add_sums(sums.data() + n, cut.count, 2 * n, n, dshift);
}

}  // namespace hv
