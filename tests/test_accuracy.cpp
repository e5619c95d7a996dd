// Long sums, constants and tails: where float alone would lose digits.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ops.h"
#include "tests/worse.h"

using namespace hv;

namespace {

using Values = std::vector<double>;

// The largest relative error of all elements.
double error_of(const Tensor& found, double expected) {
  double most = 0;
  for (const double v : found.to_vector()) most = test::worse(most, std::abs(v - expected) / std::abs(expected));
  return most;
}
double real(double v) { return static_cast<double>(static_cast<Real>(v)); }
Tensor parameter(const Shape& shape, double value) { return Tensor::full(shape, value).requires_grad_(); }

}  // namespace

TEST_CASE("accuracy: layer_norm of a constant row is exactly its shift") {
  for (const double value : {333.3, 0.1, -7e8, 1e-3}) {
    for (const int64_t n : {1, 3, 96, 97, 1000, 5000}) {
      Stream stream(1, Purpose::test);
      const Tensor x = Tensor::full({2, n}, value), gain = Tensor::full({n}, 3), shift = Tensor::normal({n}, 0, 1, stream);
      Values expected = shift.to_vector();
      expected.insert(expected.end(), expected.begin(), expected.begin() + n);
      CHECK(layer_norm(x, gain, shift).to_vector() == expected);
      CHECK(layer_norm_composed(x, gain, shift).to_vector() == expected);
    }
  }
}

TEST_CASE("accuracy: layer_norm keeps its digits in long rows and in rows far from 0") {
  for (const int64_t n : {100, 100000}) {
    Stream stream(2, Purpose::test);
    const Tensor near = Tensor::normal({1, n}, 0, 1, stream), one = Tensor::ones({n}), none = Tensor::zeros({n});
    const Tensor far = near + 100;
    const Values x = far.to_vector();
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(n);
    double square = 0;
    for (const double v : x) square += (v - mean) * (v - mean);
    const double rstd = 1 / std::sqrt(square / static_cast<double>(n) + 1e-6);
    const Values y = layer_norm(far, one, none).to_vector();
    double most = 0;
    for (size_t i = 0; i < y.size(); ++i) most = test::worse(most, std::abs(y[i] - (x[i] - mean) * rstd));
    CHECK(most < 1.2e-5);  // half of the distance between floats near 100, in the mean
  }
}

TEST_CASE("accuracy: means and pools of constants are exact, and a mean does not overflow") {
  CHECK(mean(Tensor::full({3}, 0.1)).item() == static_cast<Real>(0.1));
  CHECK(mean(Tensor::full({1000, 7}, 0.1), {0}).to_vector() == Values(7, real(0.1)));
  CHECK(mean(Tensor::full({10}, 2e38)).item() == static_cast<Real>(2e38));
  CHECK(avg_pool2d(Tensor::full({1, 1, 224, 224}, 0.1), 224, 1).item() == static_cast<Real>(0.1));
  CHECK(avg_pool2d(Tensor::full({1, 1, 1024, 1024}, 0.1), 1024, 1).item() == static_cast<Real>(0.1));
  // A kernel of 64 x 64 at every place: 4096 windows share the middle pixel.
  const Tensor image = parameter({1, 1, 127, 127}, 1);
  sum(avg_pool2d(image, 64, 1) * 0.1).backward();
  CHECK(image.grad().at({0, 0, 63, 63}) == static_cast<Real>(0.1));
}

TEST_CASE("accuracy: gradients that add up many rows") {
  constexpr int64_t kRows = 1 << 18;
  const double g = real(0.1);
  const Tensor seed = Tensor::full({kRows, 2}, 0.1);
  {
    const Tensor bias = parameter({2}, 0);
    linear(Tensor::zeros({kRows, 1}), Tensor::zeros({2, 1}), bias).backward(seed);
    CHECK(error_of(bias.grad(), g * kRows) < 1e-6);
  }
  const Tensor x = Tensor::from({1, -1}, {2}).expand({kRows, 2}).clone();  // xhat = x
  for (const bool fused : {false, true}) {
    const Tensor gain = parameter({2}, 1), shift = parameter({2}, 0), same = Tensor::from({1, 0, 0, 1}, {2, 2});
    (fused ? norm_linear(x, gain, shift, 0, same) : layer_norm(x, gain, shift, 0)).backward(seed);
    CHECK(error_of(shift.grad(), g * kRows) < 4e-6);
    CHECK(error_of(gain.grad() * Tensor::from({1, -1}, {2}), g * kRows) < 4e-6);
  }
  {
    const Tensor cls = parameter({2}, 0), positions = parameter({2, 2}, 0);
    embed_tokens(Tensor::zeros({kRows / 8, 1, 2}), cls, positions).backward(Tensor::full({kRows / 8, 2, 2}, 0.1));
    CHECK(error_of(cls.grad(), g * (kRows / 8)) < 1e-6);
    CHECK(error_of(positions.grad(), g * (kRows / 8)) < 1e-6);
  }
  const Tensor one = parameter({1, 2}, 0), again = parameter({3}, 0);
  one.expand({kRows, 2}).backward(seed);
  CHECK(error_of(one.grad(), g * kRows) < 1e-7);
  index_select(again, 0, std::vector<int64_t>(kRows / 64, 1)).backward(Tensor::full({kRows / 64}, 0.1));
  CHECK(again.grad().to_vector() == Values{0, real(g * (kRows / 64)), 0});
}

TEST_CASE("accuracy: gelu far below 0 has the right digits, plain and fused") {
  Values x;
  for (double v = -9; v < 9; v += 0.0625) x.push_back(v);
  const int64_t n = static_cast<int64_t>(x.size());
  const Tensor one = Tensor::ones({1, 1});
  for (const bool fused : {false, true}) {
    const Tensor from = Tensor::from(x, {n, 1}).requires_grad_();
    const Tensor y = fused ? gelu_linear(from, one) : gelu(from);
    y.backward(Tensor::ones({n, 1}));
    const Values found = y.to_vector(), slopes = from.grad().to_vector();
    for (size_t i = 0; i < x.size(); ++i) {
      const double cdf = std::erfc(-x[i] / std::sqrt(2.0)) / 2, pdf = std::exp(-x[i] * x[i] / 2) / std::sqrt(2 * M_PI);
      const double value = x[i] * cdf, slope = cdf + x[i] * pdf;
      const double near = 1e-6 + 6e-8 * x[i] * x[i];  // x^2 / 2 is rounded before the exponential
      CHECK(std::abs(found[i] - value) <= near * std::abs(value));
      CHECK(std::abs(slopes[i] - slope) <= near * std::max(cdf, std::abs(x[i] * pdf)));
    }
  }
}
