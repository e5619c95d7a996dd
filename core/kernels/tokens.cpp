#include "core/kernels/tokens.h"

#include <algorithm>

#include "core/parallel.h"

namespace hv {

void embed_forward(const TokenSizes& z, const Real* patches, const Real* cls, const RowsIn& positions, Real* y) {
  const auto& simd = simd::kernels();
  const int64_t n = z.patches, p = z.channels;
  parallel_for(z.batch, [&](int64_t b) {
    Real* const out = y + b * z.tokens() * p;
    simd.fill_rows(cls, positions.data, positions.ld, out, p, 1, p);
    simd.fill_rows(nullptr, positions.data + positions.ld, positions.ld, out + p, p, n, p);
    simd.accumulate(patches + b * n * p, out + p, n * p);
  });
}

void embed_backward(const TokenSizes& z, const Real* g, const RowsOut& dpatches, const RowsOut& dcls,
                    const RowsOut& dpositions) {
  const auto& simd = simd::kernels();
  const int64_t n = z.patches, p = z.channels, tokens = z.tokens();
  parallel_for(dpatches ? z.batch : 0, [&](int64_t b) {
    Real* const to = dpatches.data + b * n * p;
    const Real* const from = g + (b * tokens + 1) * p;
    if (dpatches.add) {
      simd.accumulate(from, to, n * p);
    } else {
      std::copy_n(from, n * p, to);
    }
  });
  const auto sum_images = [&](int64_t token, Real* to, bool add) {  // one owner per token, images in order
    if (!add) std::fill_n(to, p, static_cast<Real>(0));
    simd.sum_rows(g + token * p, tokens * p, to, z.batch, p);
  };
  parallel_for(dpositions ? tokens : 0, [&](int64_t t) { sum_images(t, dpositions.data + t * dpositions.ld, dpositions.add); });
  if (dcls) sum_images(0, dcls.data, dcls.add);
}

}  // namespace hv
