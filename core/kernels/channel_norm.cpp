#include "core/kernels/channel_norm.h"

#include <array>
#include <cmath>
#include <vector>

#include "core/kernels/sums.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

// Pixels at a time: their sums stay in the first-level cache while the channels pass.
constexpr int64_t kBlock = 256;
using Block = std::array<Real, kBlock>;

// body(first pixel, how many) for the blocks of an image.
template <class Body>
void blocks(int64_t pixels, Body&& body) {
  for (int64_t begin = 0; begin < pixels; begin += kBlock) body(begin, std::min(kBlock, pixels - begin));
}

// The sum of a(i) over i < n, in 16 running sums, which are a vector.
template <class A>
double sum_of(int64_t n, const A& a) {
  std::array<Real, 16> lanes{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int64_t k = 0; k < 16; ++k) lanes[static_cast<size_t>(k)] += a(i + k);
  }
  double sum = 0;
  for (; i < n; ++i) sum += a(i);
  for (const Real lane : lanes) sum += lane;
  return sum;
}

}  // namespace

void channel_norm_forward(const NormPixels& n, const Real* shift, Real eps, Real* y) {
  const PartTimer timer(Part::norm_activation);
  const int64_t plane = n.pixels, image = n.channels * plane;
  const Real share = Real{1} / static_cast<Real>(n.channels);
  parallel_for(n.images, [&](int64_t i) {
    blocks(plane, [&](int64_t begin, int64_t count) {
      const Real* const x = n.x + i * image + begin;
      Real* const to = y + i * image + begin;
      Real *const mean = n.mean + i * plane + begin, *const rstd = n.rstd + i * plane + begin;
      Block sum{}, squares{};
      for (int64_t c = 0; c < n.channels; ++c) {
        for (int64_t p = 0; p < count; ++p) sum[static_cast<size_t>(p)] += x[c * plane + p];
      }
      for (int64_t p = 0; p < count; ++p) mean[p] = sum[static_cast<size_t>(p)] * share;
      for (int64_t c = 0; c < n.channels; ++c) {
        for (int64_t p = 0; p < count; ++p) {
          const Real d = x[c * plane + p] - mean[p];
          squares[static_cast<size_t>(p)] += d * d;
        }
      }
      for (int64_t p = 0; p < count; ++p) rstd[p] = 1 / std::sqrt(squares[static_cast<size_t>(p)] * share + eps);
      for (int64_t c = 0; c < n.channels; ++c) {
        for (int64_t p = 0; p < count; ++p) to[c * plane + p] = (x[c * plane + p] - mean[p]) * rstd[p] * n.gain[c] + shift[c];
      }
    });
  });
}

// With h = g * gain and xhat = (x - mean) * rstd, means over the channels of a pixel, sums over images and pixels:
//   dx = rstd * (h - mean(h) - xhat * mean(h * xhat)),  dgain = sum of g * xhat,  dshift = sum of g
void channel_norm_backward(const NormPixels& n, const Real* g, const RowsOut& dx, const RowsOut& dgain, const RowsOut& dshift) {
  const PartTimer timer(Part::norm_activation);
  const int64_t plane = n.pixels, image = n.channels * plane;
  const Real share = Real{1} / static_cast<Real>(n.channels);
  // Per image: dgain, dshift. One row even of no images, because null has no offsets.
  std::vector<double> sums(static_cast<size_t>(2 * std::max<int64_t>(n.images, 1) * n.channels));
  parallel_for(n.images, [&](int64_t i) {
    double* const gains = sums.data() + 2 * i * n.channels;
    double* const shifts = gains + n.channels;
    blocks(plane, [&](int64_t begin, int64_t count) {
      const Real *const x = n.x + i * image + begin, *const dy = g + i * image + begin;
      const Real *const mean = n.mean + i * plane + begin, *const rstd = n.rstd + i * plane + begin;
      const auto xhat = [&](int64_t c, int64_t p) { return (x[c * plane + p] - mean[p]) * rstd[p]; };
      Block h{}, hx{};  // sums of h and h * xhat over the channels
      for (int64_t c = 0; c < n.channels; ++c) {
        for (int64_t p = 0; p < count; ++p) {
          const Real one = dy[c * plane + p] * n.gain[c];
          h[static_cast<size_t>(p)] += one;
          hx[static_cast<size_t>(p)] += one * xhat(c, p);
        }
        gains[c] += sum_of(count, [&](int64_t p) { return dy[c * plane + p] * xhat(c, p); });
        shifts[c] += sum_of(count, [&](int64_t p) { return dy[c * plane + p]; });
      }
      if (!dx) return;
      for (int64_t c = 0; c < n.channels; ++c) {
        Real* const to = dx.data + i * dx.ld + c * plane + begin;
        for (int64_t p = 0; p < count; ++p) {
          const auto at = static_cast<size_t>(p);
          const Real d = rstd[p] * (dy[c * plane + p] * n.gain[c] - share * (h[at] + xhat(c, p) * hx[at]));
          to[p] = dx.add ? to[p] + d : d;
        }
      }
    });
  });
  add_sums(sums.data(), n.images, 2 * n.channels, n.channels, dgain);
  add_sums(sums.data() + n.channels, n.images, 2 * n.channels, n.channels, dshift);
}

}  // namespace hv
