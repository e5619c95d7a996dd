#include "core/kernels/resize.h"

#include <algorithm>

#include "core/parallel.h"

namespace hv {

// Result i lies at pixel n / d of the source (PyTorch, ATen/native/UpSample.h, area_pixel_compute_source_index):
//   corners aligned:     i (from - 1) / (to - 1), and 0 for a single result
//   half-pixel centres:  (i + 1/2) from / to - 1/2 = ((2 i + 1) from - to) / (2 to), at least 0
std::vector<Tap> bilinear_taps(int64_t from, int64_t to, bool align_corners) {
  std::vector<Tap> taps;
  taps.reserve(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const int64_t n = align_corners ? i * (from - 1) : std::max<int64_t>(0, (2 * i + 1) * from - to);
    const int64_t d = align_corners ? std::max<int64_t>(1, to - 1) : 2 * to;
    const int64_t lo = n / d, rest = n % d;
    // A pixel of weight 0 is not read: what is not finite must not spread to places where it has no share.
    const int64_t hi = rest == 0 ? lo : std::min(lo + 1, from - 1);
    const double share = static_cast<double>(rest) / static_cast<double>(d);
    taps.push_back({lo, hi, 1 - share, share});
  }
  return taps;
}

void resize_forward(const std::vector<Tap>& rows, const std::vector<Tap>& cols, const Images& x, int64_t channels, Real* y) {
  const auto height = static_cast<int64_t>(rows.size()), width = static_cast<int64_t>(cols.size());
  const int64_t sy = x.strides[2], sx = x.strides[3];
  parallel_blocks(x.count * channels * height, 1 + 4096 / width, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t plane = r / height;
      const Tap& v = rows[static_cast<size_t>(r % height)];
      const Real* const from = x.data + plane / channels * x.strides[0] + plane % channels * x.strides[1];
      const Real *const above = from + v.lo * sy, *const below = from + v.hi * sy;
      Real* to = y + r * width;
      for (const Tap& h : cols) {
        const double upper = h.at_lo * above[h.lo * sx] + h.at_hi * above[h.hi * sx];
        const double lower = h.at_lo * below[h.lo * sx] + h.at_hi * below[h.hi * sx];
        *to++ = static_cast<Real>(v.at_lo * upper + v.at_hi * lower);
      }
    }
  });
}

void resize_backward(const std::vector<Tap>& rows, const std::vector<Tap>& cols, int64_t planes, int64_t height, int64_t width,
                     const Real* g, const RowsOut& dx) {
  const int64_t n = height * width, results = static_cast<int64_t>(rows.size() * cols.size());
  std::vector<double> workspace(static_cast<size_t>(num_threads() * n));
  parallel_for(dx ? planes : 0, [&](int64_t plane) {
    double* const sums = workspace.data() + thread_index() * n;
    std::fill_n(sums, n, 0.0);
    const Real* from = g + plane * results;
    for (const Tap& v : rows) {
      double *const above = sums + v.lo * width, *const below = sums + v.hi * width;
      for (const Tap& h : cols) {
        const double d = *from++, upper = v.at_lo * d, lower = v.at_hi * d;
        above[h.lo] += h.at_lo * upper;
        above[h.hi] += h.at_hi * upper;
        below[h.lo] += h.at_lo * lower;
        below[h.hi] += h.at_hi * lower;
      }
    }
    Real* const to = dx.data + plane * n;
    for (int64_t i = 0; i < n; ++i) to[i] = static_cast<Real>((dx.add ? static_cast<double>(to[i]) : 0.0) + sums[i]);
  });
}

}  // namespace hv
