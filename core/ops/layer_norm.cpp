// LayerNorm over the last dimension (Ba, Kiros, Hinton 2016): y = (x - mean) / sqrt(var + eps) * gain + shift, var over the
// channels at hand: a subnetwork of width p normalises its p channels, not the full width.
#include <algorithm>

#include "core/kernels/gemm.h"
#include "core/kernels/simd.h"
#include "core/ops.h"
#include "core/ops/sink.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {

Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps) {
  HV_CHECK(x.rank() >= 1 && gain.shape() == Shape{x.size(-1)} && shift.shape() == gain.shape(), "layer_norm: gain ",
           gain.shape(), " and shift ", shift.shape(), " for ", x.shape());
  const int64_t n = x.size(-1), m = n > 0 ? x.numel() / n : 0;
  Tensor rows = x.detach().reshape({m, n});
  if (rows.strides()[1] != 1 && n > 1) rows = rows.contiguous();
  const Tensor g0 = gain.detach().contiguous(), b0 = shift.detach().contiguous();
  const Tensor y = Tensor::empty(x.shape()), mean = Tensor::empty({m}), rstd = Tensor::empty({m});
  const auto& simd = simd::kernels();
  const int64_t ldx = rows.strides()[0];
  Real *const out = y.mutable_data(), *const means = mean.mutable_data(), *const rstds = rstd.mutable_data();
  const PartTimer timer(Part::norm_activation);
  parallel_blocks(m, row_block(m), [&](int64_t begin, int64_t end) {
    simd.layer_norm(rows.data() + begin * ldx, ldx, g0.data(), b0.data(), static_cast<Real>(eps), out + begin * n, n,
                    means + begin, rstds + begin, end - begin, n);
  });
  if (!wants_grad({x, gain, shift})) return y;
  // dx, dgain, dshift: see simd::layer_norm_backward. The sums over rows are made in fixed segments, added in order.
  return record("layer_norm", y, {x, gain, shift}, [=, sx = Saved(rows), sg = Saved(g0)](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, m, n), dgain(in, 1, n, 0), dshift(in, 2, n, 0);
    const PartTimer part(Part::norm_activation);
    const Segments cut(m, n);
    Storage sums(2 * cut.count * n), unwanted(dx ? 0 : m * n);  // the kernel writes dx in any case
    std::fill_n(sums.data(), sums.size(), static_cast<Real>(0));
    Real* to = dx ? dx.data : unwanted.data();
    const int64_t lddx = dx ? dx.ld : n;
    const Tensor& xr = sx.get();
    const Real* gains = sg.get().data();
    parallel_for(cut.count, [&](int64_t s) {
      const int64_t b = cut.begin(s), e = cut.begin(s + 1);
      simd::kernels().layer_norm_backward(g.data() + b * n, n, xr.data() + b * ldx, ldx, gains, mean.data() + b,
                                          rstd.data() + b, to + b * lddx, lddx, dx.add, sums.data() + s * n,
                                          sums.data() + (cut.count + s) * n, e - b, n);
    });
    if (dgain) add_partials(sums.data(), cut.count, 1, n, dgain.data, n, dgain.add);
    if (dshift) add_partials(sums.data() + cut.count * n, cut.count, 1, n, dshift.data, n, dshift.add);
    for (const Sink* s : {&dx, &dgain, &dshift}) s->finish();
  });
}

}  // namespace hv
