// Elementwise operations. Each reads: forward, then the gradient of each input as a formula and as code.
//
// Shapes broadcast by NumPy's rule; send() sums a gradient back to the shape that its input had. A tensor is saved only if a
// gradient that is wanted reads it.
#include <cmath>
#include <numbers>

#include "core/ops.h"
#include "core/ops/map.h"
#include "core/timing.h"

namespace hv {
namespace {

Saved saved_if(bool wanted, const Tensor& t) { return wanted ? Saved(t) : Saved(); }

}  // namespace

// --- two operands -----------------------------------------------------------------------------------------------------------

Tensor add(const Tensor& a, const Tensor& b) {
  Tensor y = map([](Real u, Real v) { return u + v; }, broadcast_shapes(a.shape(), b.shape(), "add"), a, b);
  // da = g, db = g
  return record("add", y, {a, b}, [](const Tensor& g, const Edges& in) {
    for (const Edge& edge : in) {
      if (edge) edge.add(sum_to(g, edge.shape()));
    }
  });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  Tensor y = map([](Real u, Real v) { return u - v; }, broadcast_shapes(a.shape(), b.shape(), "sub"), a, b);
  // da = g, db = -g
  return record("sub", y, {a, b}, [](const Tensor& g, const Edges& in) {
    if (in[0]) in[0].add(sum_to(g, in[0].shape()));
    send(
        in[1], [](Real d) { return -d; }, g);
  });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  Tensor y = map([](Real u, Real v) { return u * v; }, broadcast_shapes(a.shape(), b.shape(), "mul"), a, b);
  if (!wants_grad({a, b})) return y;
  // da = g b, db = g a
  return record("mul", y, {a, b},
                [sa = saved_if(b.requires_grad(), a), sb = saved_if(a.requires_grad(), b)](const Tensor& g, const Edges& in) {
                  const auto product = [](Real d, Real v) { return d * v; };
                  if (in[0]) send(in[0], product, g, sb.get());
                  if (in[1]) send(in[1], product, g, sa.get());
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  Tensor y = map([](Real u, Real v) { return u / v; }, broadcast_shapes(a.shape(), b.shape(), "div"), a, b);
  if (!wants_grad({a, b})) return y;
  // da = g / b, db = -g (a / b) / b
  return record("div", y, {a, b}, [sa = saved_if(b.requires_grad(), a), sb = Saved(b)](const Tensor& g, const Edges& in) {
    send(
        in[0], [](Real d, Real v) { return d / v; }, g, sb.get());
    if (in[1])
      send(
          in[1], [](Real d, Real u, Real v) { return -d * (u / v) / v; }, g, sa.get(), sb.get());
  });
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  const auto larger = [](Real u, Real v) { return u > v || u != u ? u : v; };  // NaN wins: it must stay visible
  Tensor y = map(larger, broadcast_shapes(a.shape(), b.shape(), "maximum"), a, b);
  if (!wants_grad({a, b})) return y;
  // da = g where a > b, g / 2 where a = b, else 0; db likewise
  return record("maximum", y, {a, b}, [sa = Saved(a), sb = Saved(b)](const Tensor& g, const Edges& in) {
    const auto share = [](Real d, Real mine, Real other) {
      if (mine == other) return d / 2;
      return mine > other ? d : 0;
    };
    send(in[0], share, g, sa.get(), sb.get());
    send(in[1], share, g, sb.get(), sa.get());
  });
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shapes(broadcast_shapes(a.shape(), b.shape(), "where"), condition.shape(), "where");
  Tensor y = map([](Real c, Real u, Real v) { return c != 0 ? u : v; }, shape, condition, a, b);
  if (!wants_grad({a, b})) return y;
  // da = g where the condition holds, else 0; db = g where it does not
  return record("where", y, {a, b}, [sc = Saved(condition)](const Tensor& g, const Edges& in) {
    send(
        in[0], [](Real d, Real c) { return c != 0 ? d : 0; }, g, sc.get());
    send(
        in[1], [](Real d, Real c) { return c != 0 ? 0 : d; }, g, sc.get());
  });
}

// --- one operand ------------------------------------------------------------------------------------------------------------

namespace {

// y = f(x), with dx = slope(g, x or y).
template <class F, class Slope>
Tensor unary(const char* op, const Tensor& x, bool keep_result, F f, Slope slope) {
  const PartTimer timer(Part::norm_activation);
  Tensor y = map(f, x.shape(), x);
  if (!wants_grad({x})) return y;
  return record(op, y, {x}, [slope, kept = Saved(keep_result ? y : x)](const Tensor& g, const Edges& in) {
    const PartTimer backward_timer(Part::norm_activation);
    send(in[0], slope, g, kept.get());
  });
}

constexpr bool kKeepX = false, kKeepY = true;

}  // namespace

Tensor neg(const Tensor& x) {
  Tensor y = map([](Real v) { return -v; }, x.shape(), x);
  // dx = -g
  return record("neg", y, {x}, [](const Tensor& g, const Edges& in) {
    send(
        in[0], [](Real d) { return -d; }, g);
  });
}

Tensor exp(const Tensor& x) {
  // dx = g y
  return unary(
      "exp", x, kKeepY, [](Real v) { return std::exp(v); }, [](Real d, Real y) { return d * y; });
}

Tensor log(const Tensor& x) {
  // dx = g / x
  return unary(
      "log", x, kKeepX, [](Real v) { return std::log(v); }, [](Real d, Real v) { return d / v; });
}

Tensor sqrt(const Tensor& x) {
  // dx = g / (2 y)
  return unary(
      "sqrt", x, kKeepY, [](Real v) { return std::sqrt(v); }, [](Real d, Real y) { return d / (2 * y); });
}

Tensor pow(const Tensor& x, double exponent) {
  const Real e = static_cast<Real>(exponent);
  // dx = g e x^(e-1); 0 for e = 0, also at x = 0
  return unary(
      "pow", x, kKeepX, [e](Real v) { return std::pow(v, e); },
      [e](Real d, Real v) { return e == 0 ? 0 : d * e * std::pow(v, e - 1); });
}

Tensor abs(const Tensor& x) {
  const auto slope = [](Real d, Real v) {
    if (v > 0) return d;
    if (v < 0) return -d;
    return static_cast<Real>(0);
  };
  // dx = g sign(x)
  return unary(
      "abs", x, kKeepX, [](Real v) { return std::abs(v); }, slope);
}

Tensor tanh(const Tensor& x) {
  // dx = g (1 - y^2)
  return unary(
      "tanh", x, kKeepY, [](Real v) { return std::tanh(v); }, [](Real d, Real y) { return d * (1 - y * y); });
}

Tensor relu(const Tensor& x) {
  // dx = g where y > 0. Written so that NaN passes through.
  return unary(
      "relu", x, kKeepY, [](Real v) { return v < 0 ? 0 : v; }, [](Real d, Real y) { return y > 0 ? d : 0; });
}

Tensor sigmoid(const Tensor& x) {
  // dx = g y (1 - y)
  return unary(
      "sigmoid", x, kKeepY, [](Real v) { return 1 / (1 + std::exp(-v)); }, [](Real d, Real y) { return d * y * (1 - y); });
}

Tensor gelu(const Tensor& x) {
  // y = x Phi(x), dx = g (Phi(x) + x phi(x)), with Phi and phi of the normal distribution, through the C library's erfc:
  // 1 + erf(v) has no digits left where v is far below 0. The fused gelu_linear has a faster polynomial.
  const auto cdf = [](Real v) { return std::erfc(-v * std::numbers::sqrt2_v<Real> / 2) / 2; };
  const auto pdf = [](Real v) { return std::exp(-v * v / 2) * std::numbers::inv_sqrtpi_v<Real> / std::numbers::sqrt2_v<Real>; };
  return unary(
      "gelu", x, kKeepX, [=](Real v) { return v * cdf(v); }, [=](Real d, Real v) { return d * (cdf(v) + v * pdf(v)); });
}

}  // namespace hv
