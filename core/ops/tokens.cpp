// The door of a vision transformer: patches become tokens behind a CLS token, positions are added, in one pass over memory.
#include <algorithm>

#include "core/kernels/simd.h"
#include "core/ops.h"
#include "core/ops/sink.h"
#include "core/parallel.h"

namespace hv {

Tensor embed_tokens(const Tensor& patches, const Tensor& cls, const Tensor& positions) {
  HV_CHECK(patches.rank() == 3 && cls.shape() == Shape{patches.size(2)} &&
               positions.shape() == Shape({patches.size(1) + 1, patches.size(2)}),
           "embed_tokens: patches ", patches.shape(), " need cls [p] and positions [N + 1, p]: ", cls.shape(), ", ",
           positions.shape());
  const int64_t batch = patches.size(0), n = patches.size(1), p = patches.size(2), tokens = n + 1;
  const Tensor x = patches.detach().contiguous(), c = cls.detach().contiguous();
  const bool rows = p <= 1 || positions.strides()[1] == 1;  // a prefix of the channels, as in a subnetwork: no copy
  const Tensor pos = rows ? positions.detach() : positions.detach().contiguous();
  const int64_t ldp = pos.strides()[0];
  const Tensor y = Tensor::empty({batch, tokens, p});
  Real* const first = y.mutable_data();
  parallel_for(batch, [&](int64_t b) {
    Real* out = first + b * tokens * p;
    simd::kernels().fill_rows(c.data(), pos.data(), ldp, out, p, 1, p);
    simd::kernels().fill_rows(nullptr, pos.data() + ldp, ldp, out + p, p, n, p);
    simd::kernels().accumulate(x.data() + b * n * p, out + p, n * p);
  });
  // dpatches = g[:, 1:];  dcls = sum over images of g[:, 0];  dpositions = sum over images of g
  return record("embed_tokens", y, {patches, cls, positions}, [=](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, batch * n, p), dcls(in, 1, p, 0), dpos(in, 2, tokens, p);
    parallel_for(dx ? batch : 0, [&](int64_t b) {
      Real* to = dx.data + b * n * p;
      const Real* from = g.data() + (b * tokens + 1) * p;
      if (dx.add) {
        simd::kernels().accumulate(from, to, n * p);
      } else {
        std::copy_n(from, n * p, to);
      }
    });
    const auto sum_images = [&](int64_t token, Real* to, bool add) {  // one owner for each token: images in order
      if (!add) std::fill_n(to, p, static_cast<Real>(0));
      simd::kernels().sum_rows(g.data() + token * p, tokens * p, to, batch, p);
    };
    if (dpos) parallel_for(tokens, [&](int64_t t) { sum_images(t, dpos.data + t * dpos.ld, dpos.add); });
    if (dcls) sum_images(0, dcls.data, dcls.add);
    for (const Sink* s : {&dx, &dcls, &dpos}) s->finish();
  });
}

}  // namespace hv
