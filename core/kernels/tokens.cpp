#include "core/kernels/tokens.h"

#include <algorithm>
#include <numeric>
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

void top_rows(const Scores& scores, int64_t kept, int64_t* index) {
  const int64_t tokens = scores.tokens;
  std::vector<int64_t> workspace(static_cast<size_t>(num_threads() * tokens));
  parallel_for(scores.batch, [&](int64_t b) {
    const auto score = [row = scores.data + b * scores.row, col = scores.col](int64_t t) { return row[t * col]; };
    const auto larger = [](Real a, Real c) { return a > c || (a != a && c == c); };
    const auto first = [&](int64_t s, int64_t t) {  // a total order: the result does not depend on how it is sorted
      const Real a = score(s), c = score(t);
      return larger(a, c) || (s < t && !larger(c, a));
    };
    int64_t* const order = workspace.data() + thread_index() * tokens;
    std::iota(order, order + tokens, int64_t{0});
    std::partial_sort(order, order + kept, order + tokens, first);
    std::copy_n(order, kept, index + b * kept);
  });
}

void gather_forward(const TokenPicks& z, const RowsIn& x, int64_t image, Real* y) {
  const int64_t p = z.channels;
  parallel_blocks(z.batch * z.kept, 1 + 16384 / (p + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(x.data + i / z.kept * image + z.index[i] * x.ld, p, y + i * p);
  });
}

void gather_backward(const TokenPicks& z, const Real* g, const RowsOut& dx) {
  const auto& simd = simd::kernels();
  const int64_t p = z.channels;
  parallel_for(dx ? z.batch : 0, [&](int64_t b) {
    Real* const to = dx.data + b * dx.ld;
    if (!dx.add) std::fill_n(to, z.tokens * p, static_cast<Real>(0));
    for (int64_t i = b * z.kept; i < (b + 1) * z.kept; ++i) simd.accumulate(g + i * p, to + z.index[i] * p, p);
  });
}

}  // namespace hv
