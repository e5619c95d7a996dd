#include "core/kernels/tokens.h"

#include <algorithm>
#include <vector>

#include "core/kernels/sums.h"
#include "core/parallel.h"

namespace hv {

void embed_forward(const TokenSizes& z, const Real* patches, const Real* cls, const RowsIn& positions, Real* y) {
  const auto& simd = simd::kernels();
  const int64_t n = z.patches, p = z.channels;
  parallel_for(z.batch, [&](int64_t b) {
    Real* const out = y + b * z.tokens() * p;
    for (int64_t s = 0; s < z.first; ++s)
      simd.fill_rows(cls + s * p, positions.data + s * positions.ld, positions.ld, out + s * p, p, 1, p);
    Real* const rest = out + z.first * p;
    simd.fill_rows(nullptr, positions.data + z.first * positions.ld, positions.ld, rest, p, n, p);
    simd.accumulate(patches + b * n * p, rest, n * p);
  });
}

void embed_backward(const TokenSizes& z, const Real* g, const RowsOut& dpatches, const RowsOut& dcls,
                    const RowsOut& dpositions) {
  const auto& simd = simd::kernels();
  const int64_t n = z.patches, p = z.channels, tokens = z.tokens();
  parallel_for(dpatches ? z.batch : 0, [&](int64_t b) {
    Real* const to = dpatches.data + b * n * p;
    const Real* const from = g + (b * tokens + z.first) * p;
    if (dpatches.add) {
      simd.accumulate(from, to, n * p);
    } else {
      std::copy_n(from, n * p, to);
    }
  });
  std::vector<double> workspace(static_cast<size_t>(num_threads() * p));
  const auto sum_images = [&](int64_t token, const RowsOut& to) {  // one owner per token, images in order
    double* const sums = workspace.data() + thread_index() * p;
    std::fill_n(sums, p, 0.0);
    simd.sum_rows(g + token * p, tokens * p, sums, z.batch, p);
    add_sums(sums, 1, p, p, to);
  };
  parallel_for(dpositions ? tokens : 0, [&](int64_t t) {
    sum_images(t, {dpositions.data + t * dpositions.ld, p, dpositions.add});
  });
  for (int64_t s = 0; dcls && s < z.first; ++s) sum_images(s, {dcls.data + s * dcls.ld, p, dcls.add});
}

}  // namespace hv
