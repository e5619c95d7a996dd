#include <algorithm>
#include <cmath>

#include "tests/ops/cases.h"

namespace hv::test {
namespace {

using Shapes = std::vector<std::vector<Shape>>;

const Shapes kOne = {{{2, 3, 4}}, {{5, 3}}, {{1, 4, 1}}, {{3, 0, 2}}, {{}}, {{2, 3, 2, 2}}};
// Equal shapes, every way to broadcast, sizes 1 and 0, rank 0.
const Shapes kTwo = {{{2, 3, 4}, {2, 3, 4}}, {{4, 3}, {3}},    {{3, 1}, {1, 4}}, {{2, 3}, {}},
                     {{2, 1, 3}, {4, 1}},    {{2, 0}, {1, 1}}, {{}, {}}};
const Shapes kLargeOne = {{{40, 25, 33}}};
const Shapes kLargeTwo = {{{40, 25, 33}, {40, 25, 33}}, {{300, 70}, {70}}, {{300, 70}, {300, 1}}};

OpRow one(const char* name, Tensor (*op)(const Tensor&), double (*twin)(double), double low = -2, double high = 2) {
  return {name, kOne, [op](const Tensors& t) { return op(t[0]); }, unary(twin), low, high, kLargeOne};
}

OpRow two(const char* name, Tensor (*op)(const Tensor&, const Tensor&), double (*twin)(double, double), double low = -2,
          double high = 2) {
  return {name, kTwo, [op](const Tensors& t) { return op(t[0], t[1]); }, binary(twin), low, high, kLargeTwo};
}

OpRow power(double exponent, double low) {
  return {concat("pow ", exponent),
          kOne,
          [=](const Tensors& t) { return hv::pow(t[0], exponent); },
          [=](const Arrays& a) {
            Array y = a[0];
            for (double& v : y.values) v = std::pow(v, exponent);
            return y;
          },
          low,
          2};
}

using Fold = double (*)(double, double);
double plus(double a, double v) { return a + v; }
double most(double a, double v) { return std::max(a, v); }

OpRow reduction(const std::string& name, Tensor (*op)(const Tensor&, const Dims&, bool), const Dims& dims, bool keep,
                double start, Fold fold, bool mean, const Shapes& shapes, const Shapes& large = {}) {
  return {concat(name, " over ", dims, keep ? " keep" : ""),
          shapes,
          [=](const Tensors& t) { return op(t[0], dims, keep); },
          [=](const Arrays& a) {
            Array y = reduced(a[0], dims, keep, start, fold);
            const double each = static_cast<double>(y.values.size()) / static_cast<double>(a[0].values.size());
            for (double& v : y.values) v *= mean ? each : 1;
            return y;
          },
          -2,
          2,
          large};
}

}  // namespace

std::vector<OpRow> elementwise_rows() {
  std::vector<OpRow> rows = {
      two("add", add, [](double a, double b) { return a + b; }),
      two("sub", sub, [](double a, double b) { return a - b; }),
      two("mul", mul, [](double a, double b) { return a * b; }),
      two(
          "div", div, [](double a, double b) { return a / b; }, 0.5, 3),
      two("maximum", maximum, [](double a, double b) { return std::max(a, b); }),
      one("neg", neg, [](double v) { return -v; }),
      one("exp", hv::exp, [](double v) { return std::exp(v); }),
      one(
          "log", hv::log, [](double v) { return std::log(v); }, 0.2, 3),
      one(
          "sqrt", hv::sqrt, [](double v) { return std::sqrt(v); }, 0.2, 3),
      one("abs", hv::abs, [](double v) { return std::abs(v); }),
      one("tanh", hv::tanh, [](double v) { return std::tanh(v); }),
      one("relu", relu, [](double v) { return std::max(v, 0.0); }),
      one("sigmoid", sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); }),
      one("gelu", hv::gelu, test::gelu, -4, 4),
      power(2, -2),
      power(3, -2),
      power(0, -2),
      power(0.5, 0.3),
      power(-1.5, 0.5),
  };
  rows.push_back({"where",
                  {{{2, 3}, {2, 3}}, {{3}, {2, 3}}, {{2, 1}, {}}, {{4, 2, 3}, {1, 3}}, {{0, 1, 3}, {0, 1, 1}}},
                  [](const Tensors& t) {
                    return where(Tensor::from({1, 0, -1}, {3}), t[0], t[1]);
                  },
                  [](const Arrays& a) {
                    Array y(broadcast_shapes(broadcast_shapes(a[0].shape, a[1].shape, "twin"), {3}, "twin"));
                    for_index(y.shape, [&](const Dims& i) { y(i) = i[-1] != 1 ? a[0](i) : a[1](i); });
                    return y;
                  }});

  const Shapes any = {{{2, 3, 4}}, {{1, 3, 1}}, {{3, 2, 2, 2}}},
               with_empty = {{{2, 3, 4}}, {{1, 3, 1}}, {{0, 3, 2}}, {{3, 2, 2, 2}}};
  const Shapes large = {{{37, 41, 29}}};
  const double lowest = -1e300;
  for (const Dims& dims : {Dims{}, Dims{0}, Dims{1}, Dims{-1}, Dims{0, 2}, Dims{-1, 1}}) {
    rows.push_back(reduction("sum", sum, dims, false, 0, plus, false, with_empty, large));
    rows.push_back(reduction("max", hv::max, dims, false, lowest, most, false, any, large));
  }
  for (const Dims& dims : {Dims{}, Dims{1}, Dims{0, -1}}) {
    rows.push_back(reduction("mean", mean, dims, false, 0, plus, true, any, large));
    rows.push_back(reduction("sum", sum, dims, true, 0, plus, false, with_empty));
    rows.push_back(reduction("mean", mean, dims, true, 0, plus, true, any));
    rows.push_back(reduction("max", hv::max, dims, true, lowest, most, false, any));
  }
  rows.push_back(reduction("sum", sum, {}, false, 0, plus, false, {{{}}, {{0}}}));
  return rows;
}

}  // namespace hv::test
