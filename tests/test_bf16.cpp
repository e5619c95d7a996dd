// Products in bf16: within its rounding of the fp32 product, in every layout and size, the same bits each time, on each unit.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "core/kernels/bf16.h"
#include "core/ops.h"
#include "core/random.h"
#include "tests/worse.h"

using namespace hv;

namespace {

bool no_unit() {
  if (bf16_unit() != Bf16Unit::none) return false;
  MESSAGE("skipped: this processor has no bf16 units");
  return true;
}

std::vector<float> numbers(int64_t count, uint64_t seed) {
  Stream stream(seed, Purpose::test);
  const Tensor drawn = Tensor::normal({count}, 0, 1, stream);
  return {drawn.data(), drawn.data() + count};
}

float rounded(float x) {  // to the nearest bf16, ties to even
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
  std::memcpy(&x, &bits, 4);
  return x;
}

double distance(const Tensor& a, const Tensor& b) {  // |a - b| / |a|
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  double difference = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    size += x[i] * x[i];
  }
  return std::sqrt(difference / size);
}

struct InBf16 {  // matrix products are computed in bf16 during its lifetime
  InBf16() { set_precision(Precision::bf16); }
  ~InBf16() { set_precision(Precision::fp32); }
};

}  // namespace

TEST_CASE("bf16: the product of the rounded operands, with float sums, in every layout") {
  if (no_unit()) return;
  const int64_t sizes[][3] = {{1, 1, 1},     {16, 16, 32},   {32, 32, 64},    {33, 17, 31},
                              {65, 48, 100}, {260, 96, 288}, {1600, 40, 530}, {20, 300, 1100}};
  for (const auto& size_of : sizes) {
    const int64_t m = size_of[0], n = size_of[1], k = size_of[2];
    const std::vector<float> a = numbers(m * k, 1), b = numbers(k * n, 2), before = numbers(m * n, 3);
    for (const int layout : {0, 1, 2, 3}) {
      const Matrix left = layout & 1 ? Matrix{a.data(), m, k, 1, m} : Matrix{a.data(), m, k, k, 1};
      const Matrix right = layout & 2 ? Matrix{b.data(), k, n, 1, k} : Matrix{b.data(), k, n, n, 1};
      for (const bool add : {false, true}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        CAPTURE(layout);
        std::vector<float> c = before, again = before;
        const Plus plus{nullptr, add ? c.data() : nullptr, n};
        gemm_bf16(left, right, c.data(), n, plus);
        gemm_bf16(left, right, again.data(), n, {nullptr, add ? again.data() : nullptr, n});
        CHECK(c == again);
        double worst = 0;
        for (int64_t i = 0; i < m; i += 1 + m / 40) {
          for (int64_t j = 0; j < n; ++j) {
            double sum = add ? before[static_cast<size_t>(i * n + j)] : 0, size = std::abs(sum);
            for (int64_t x = 0; x < k; ++x) {
              const double term =
                  double{rounded(left.data[i * left.row + x * left.col])} * rounded(right.data[x * right.row + j * right.col]);
              sum += term;
              size += std::abs(term);
            }
            worst = test::worse(worst, std::abs(c[static_cast<size_t>(i * n + j)] - sum) / size);
          }
        }
        CHECK(worst < 1e-6);  // float32 sums of the exact products of bf16 numbers
      }
    }
  }
}

TEST_CASE("bf16: numbers kept for backward round to the nearest, ties to even; NaN and infinity stay") {
  std::vector<float> x = numbers(1000, 9);
  const float special[] = {0.0F, -0.0F, 1.00390625F, 1.01171875F, 3.4e38F, INFINITY, -INFINITY, NAN, -NAN};
  x.insert(x.end(), std::begin(special), std::end(special));
  uint32_t all_ones = 0x7FFFFFFF;  // a NaN whose mantissa would overflow
  std::memcpy(&x[0], &all_ones, 4);
  std::vector<uint16_t> half(x.size());
  std::vector<Real> reals(x.begin(), x.end()), back(x.size());
  simd::kernels().to_bf16(reals.data(), half.data(), static_cast<int64_t>(x.size()));
  simd::kernels().from_bf16(half.data(), back.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      CHECK(std::isnan(back[i]));
    } else {
      CHECK(back[i] == rounded(x[i]));
      CHECK(std::signbit(back[i]) == std::signbit(x[i]));
    }
  }
}

TEST_CASE("bf16: set_precision changes products of a layer by bf16's rounding, and nothing small") {
  if (no_unit()) return;
  Stream stream(5, Purpose::test);
  const Tensor x = Tensor::normal({64, 96}, 0, 1, stream), w = Tensor::normal({80, 96}, 0, 0.1, stream),
               small = Tensor::normal({10, 96}, 0, 0.1, stream);
  const Tensor exact = linear(x, w, {}), head = linear(x, small, {});
  Tensor rough, same;
  {
    const InBf16 scope;
    rough = linear(x, w, {});
    same = linear(x, small, {});
  }
  CHECK(distance(exact, rough) > 1e-4);  // it was used
  CHECK(distance(exact, rough) < 4e-3);  // 2^-8 per operand, averaged over sums
  CHECK(head.to_vector() == same.to_vector());
}

TEST_CASE("bf16: bias, residual and gradients of the fused layers, at sizes that fill no tile and need several pieces") {
  if (no_unit()) return;
  const int64_t sizes[][3] = {{600, 80, 96}, {77, 50, 41}, {300, 33, 1300}};  // rows, out, in
  for (const auto& size : sizes) {
    const int64_t m = size[0], n = size[1], k = size[2];
    for (const int op : {0, 1, 2}) {
      CAPTURE(m);
      CAPTURE(op);
      Stream stream(7, Purpose::test);
      const Tensor x = Tensor::normal({m, k}, 0, 1, stream), residual = Tensor::normal({m, n}, 0, 1, stream);
      const Tensor weight = Tensor::normal({n + 3, k + 5}, 0, 0.1, stream), bias = Tensor::normal({n}, 0, 1, stream);
      const Tensor gain = Tensor::normal({k}, 1, 0.1, stream), shift = Tensor::normal({k}, 0, 0.1, stream);
      const Tensor cotangent = Tensor::normal({m, n}, 0, 1, stream);
      const auto run = [&] {  // the result, then the gradients
        std::vector<Tensor> leaves{x.clone(), weight.clone(), bias.clone(), residual.clone(), gain.clone(), shift.clone()};
        for (Tensor& leaf : leaves) leaf.requires_grad_();
        const Tensor w = leaves[1].slice(0, 0, n).slice(1, 0, k);
        const Tensor y = op == 0   ? linear(leaves[0], w, leaves[2], leaves[3])
                         : op == 1 ? gelu_linear(leaves[0], w, leaves[2], leaves[3])
                                   : norm_linear(leaves[0], leaves[4], leaves[5], 1e-6, w, leaves[2]);
        sum(y * cotangent).backward();
        std::vector<Tensor> found{y};
        for (const Tensor& leaf : leaves) {
          if (leaf.grad().defined()) found.push_back(leaf.grad());
        }
        return found;
      };
      const std::vector<Tensor> exact = run();
      const InBf16 scope;
      const std::vector<Tensor> rough = run(), again = run();
      for (size_t i = 0; i < exact.size(); ++i) {
        CAPTURE(i);
        CHECK(distance(exact[i], rough[i]) < 6e-3);
        CHECK(rough[i].to_vector() == again[i].to_vector());
      }
      CHECK(distance(exact[0], rough[0]) > 1e-5);
    }
  }
}

TEST_CASE("bf16: attention and its gradient stay within the rounding of their products") {
  if (no_unit()) return;
  for (const int64_t tokens : {16, 65, 197}) {
    for (const int64_t head_dim : {16, 32, 64, 40}) {
      CAPTURE(tokens);
      CAPTURE(head_dim);
      Stream stream(6, Purpose::test);
      const Tensor qkv = Tensor::normal({2, tokens, 2 * 3 * head_dim}, 0, 1, stream);
      const Tensor cotangent = Tensor::normal({2, tokens, 2 * head_dim}, 0, 1, stream);
      const auto run = [&](Tensor& gradient) {
        const Tensor x = qkv.clone().requires_grad_();
        const Tensor y = attention(x, head_dim);
        sum(y * cotangent).backward();
        gradient = x.grad();
        return y;
      };
      Tensor exact_gradient, rough_gradient, again_gradient;
      const Tensor exact = run(exact_gradient);
      const InBf16 scope;
      const Tensor rough = run(rough_gradient), again = run(again_gradient);
      CHECK(distance(exact, rough) > 1e-4);
      CHECK(distance(exact, rough) < 6e-3);
      CHECK(distance(exact_gradient, rough_gradient) < 1e-2);
      CHECK(rough.to_vector() == again.to_vector());
      CHECK(rough_gradient.to_vector() == again_gradient.to_vector());
    }
  }
}
