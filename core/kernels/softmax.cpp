#include "core/kernels/softmax.h"

#include <algorithm>
#include <cmath>

namespace hv {
namespace {

// body(places) for each row along `dim`, with the row's place in each operand.
template <size_t N, class Body>
void for_rows(const Shape& shape, int dim, std::array<Strides, N> strides, const Body& body) {
  Shape rest = shape;
  const int64_t n = rest[dim];
  if (n == 0) return;
  rest.erase(dim);
  for (Strides& s : strides) s.erase(dim);
  const int64_t cost = 8 * n;  // an exponential costs about eight copies
  strided_loop<N>(
      rest, strides,
      [&](const Places<N>& at, int64_t rows, const Places<N>& step) {
        for (int64_t r = 0; r < rows; ++r) {
          Places<N> row = at;
          for (size_t k = 0; k < N; ++k) row[k] += r * step[k];
          body(row);
        }
      },
      cost);
}

template <bool kLog>
void forward(const Shape& shape, int dim, const Real* x, const Strides& x_strides, Real* y, const Strides& y_strides) {
  const int64_t n = shape[dim], sx = x_strides[dim], sy = y_strides[dim];
  for_rows<2>(shape, dim, {y_strides, x_strides}, [=](const Places<2>& row) {
    Real* const to = y + row[0];
    const Real* const from = x + row[1];
    Real top = from[0];
    for (int64_t i = 1; i < n; ++i) top = std::max(top, from[i * sx]);
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
      const Real e = std::exp(from[i * sx] - top);
      to[i * sy] = e;
      total += e;
    }
    const Real scale = static_cast<Real>(1 / total), shift = top + static_cast<Real>(std::log(total));
    for (int64_t i = 0; i < n; ++i) to[i * sy] = kLog ? from[i * sx] - shift : to[i * sy] * scale;
  });
}

template <bool kLog>
void backward(const Shape& shape, int dim, const Real* g, const Strides& g_strides, const Real* y, const Strides& y_strides,
              bool add, Real* dx, const Strides& dx_strides) {
  const int64_t n = shape[dim], st = dx_strides[dim], sg = g_strides[dim], sy = y_strides[dim];
  for_rows<3>(shape, dim, {dx_strides, g_strides, y_strides}, [=](const Places<3>& row) {
    Real* const to = dx + row[0];
    const Real *const dy = g + row[1], *const result = y + row[2];
    double total = 0;
    for (int64_t i = 0; i < n; ++i) total += kLog ? dy[i * sg] : dy[i * sg] * result[i * sy];
    const Real t = static_cast<Real>(total);
    for (int64_t i = 0; i < n; ++i) {
      const Real v = kLog ? dy[i * sg] - std::exp(result[i * sy]) * t : result[i * sy] * (dy[i * sg] - t);
      to[i * st] = add ? to[i * st] + v : v;
    }
  });
}

}  // namespace

void softmax_forward(bool logarithm, const Shape& shape, int dim, const Real* x, const Strides& x_strides, Real* y,
                     const Strides& y_strides) {
  if (logarithm) {
    forward<true>(shape, dim, x, x_strides, y, y_strides);
  } else {
    forward<false>(shape, dim, x, x_strides, y, y_strides);
  }
}

void softmax_backward(bool logarithm, const Shape& shape, int dim, const Real* g, const Strides& g_strides, const Real* y,
                      const Strides& y_strides, bool add, Real* dx, const Strides& dx_strides) {
  if (logarithm) {
    backward<true>(shape, dim, g, g_strides, y, y_strides, add, dx, dx_strides);
  } else {
    backward<false>(shape, dim, g, g_strides, y, y_strides, add, dx, dx_strides);
  }
}

}  // namespace hv
