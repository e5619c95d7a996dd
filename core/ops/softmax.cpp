// softmax and log_softmax over any dimension. The maximum is subtracted first, so that no exponential overflows.
#include <algorithm>
#include <cmath>

#include "core/kernels/strided.h"
#include "core/ops.h"

namespace hv {
namespace {

// body(to, from) for each row along `dim`, with the row's start in tensor 0, which is written, and in the others. Any layout,
// no copies.
template <size_t N, class Body>
void for_rows(const std::array<Tensor, N>& tensors, int dim, const Body& body) {
  Shape rest = tensors[0].shape();
  const int64_t n = rest[dim];
  if (n == 0) return;
  rest.erase(dim);
  std::array<Strides, N> strides;
  for (size_t k = 0; k < N; ++k) {
    strides[k] = tensors[k].strides();
    strides[k].erase(dim);
  }
  Real* const to = tensors[0].mutable_data();
  strided_loop<N>(
      rest, strides,
      [&](const Places<N>& at, int64_t rows, const Places<N>& along) {
        for (int64_t r = 0; r < rows; ++r) {
          std::array<const Real*, N - 1> from{};
          for (size_t k = 1; k < N; ++k) from[k - 1] = tensors[k].data() + at[k] + r * along[k];
          body(to + at[0] + r * along[0], from);
        }
      },
      8 * n);  // an exponential costs about eight copies
}

template <bool kLog>
Tensor softmax_of(const char* op, const Tensor& x, int dim) {
  const int d = wrap_dim(dim, x.rank(), op);
  Tensor y = Tensor::empty(x.shape());
  const int64_t n = x.size(d), sx = x.strides()[d], sy = y.strides()[d];
  for_rows<2>({y, x}, d, [=](Real* to, const std::array<const Real*, 1>& rows) {
    const Real* const from = rows[0];
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
  if (!wants_grad({x})) return y;
  // softmax:      dx = y (g - sum(g y))
  // log_softmax:  dx = g - exp(y) sum(g)
  return record(op, y, {x}, [d, n, saved = Saved(y)](const Tensor& g, const Edges& in) {
    const Target to = in[0].open();
    const Tensor& result = saved.get();
    const int64_t st = to.at.strides()[d], sg = g.strides()[d], sr = result.strides()[d];
    for_rows<3>({to.at, g, result}, d, [=, add = to.add](Real* dx, const std::array<const Real*, 2>& rows) {
      const auto [dy, y_row] = rows;
      double total = 0;
      for (int64_t i = 0; i < n; ++i) total += kLog ? dy[i * sg] : dy[i * sg] * y_row[i * sr];
      const Real t = static_cast<Real>(total);
      for (int64_t i = 0; i < n; ++i) {
        const Real v = kLog ? dy[i * sg] - std::exp(y_row[i * sr]) * t : y_row[i * sr] * (dy[i * sg] - t);
        dx[i * st] = add ? dx[i * st] + v : v;
      }
    });
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int dim) { return softmax_of<false>("softmax", x, dim); }
Tensor log_softmax(const Tensor& x, int dim) { return softmax_of<true>("log_softmax", x, dim); }

}  // namespace hv
