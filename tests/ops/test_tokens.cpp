// Choosing and gathering tokens, resizing images: what the table of operations does not show. Order, ties and NaN, known values
// of PyTorch, no hidden copies.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/parallel.h"
#include "tests/gradcheck.h"

namespace hv::test {
namespace {

using Numbers = std::vector<double>;
using Indices = std::vector<int64_t>;

void check_near(const Tensor& found, const Numbers& expected) {
  const Numbers values = found.to_vector();
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(values[i] - expected[i]) <= 5.1e-5);  // four digits are known
}

}  // namespace

TEST_CASE("top_tokens: descending scores, the lower index first among equals, NaN before all") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Tensor scores = Tensor::from({1, 5, 3, 5, 2, 2, 9, 2, 2, 0}, {2, 5});
  CHECK(top_tokens(scores, 1) == Indices{1, 1});
  CHECK(top_tokens(scores, 3) == Indices{1, 3, 2, 1, 0, 2});
  CHECK(top_tokens(scores, 5) == Indices{1, 3, 2, 4, 0, 1, 0, 2, 3, 4});
  CHECK(top_tokens(scores.transpose(0, 1), 2) == Indices{1, 0, 1, 0, 0, 1, 0, 1, 0, 1});
  CHECK(top_tokens(Tensor::from({1, nan, inf, -inf, nan}, {1, 5}), 5) == Indices{1, 4, 2, 0, 3});
  CHECK(top_tokens(Tensor::from({-0.0, 0.0, -0.0}, {1, 3}), 3) == Indices{0, 1, 2});
  CHECK(top_tokens(Tensor::zeros({0, 4}), 2).empty());
}

TEST_CASE("top_tokens equals a stable sort, with many ties and any number of threads") {
  constexpr int64_t kImages = 40, kTokens = 197, kKept = 99;
  Stream stream(5, Purpose::test);
  Numbers values(kImages * kTokens);
  for (double& v : values) v = stream.below(50);
  Indices expected;
  for (auto row = values.begin(); row != values.end(); row += kTokens) {
    Indices order(kTokens);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return row[a] > row[b]; });
    expected.insert(expected.end(), order.begin(), order.begin() + kKept);
  }
  const int threads_before = num_threads();
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    CHECK(top_tokens(Tensor::from(values, {kImages, kTokens}), kKept) == expected);
  }
  set_num_threads(threads_before);
}

TEST_CASE("gather_tokens: the best of each image in their order, and gradients of repeated ones add") {
  const Tensor x = Tensor::arange(12).view({2, 3, 2}).clone().requires_grad_();
  const Indices best = top_tokens(Tensor::from({1, 3, 2, 7, 0, 9}, {2, 3}), 2);
  CHECK(gather_tokens(x, best, 2).to_vector() == Numbers{2, 3, 4, 5, 10, 11, 6, 7});
  gather_tokens(x, Indices{1, 1, 2, 0}, 2).backward(Tensor::from({1, 2, 10, 20, 3, 4, 5, 6}, {2, 2, 2}));
  CHECK(x.grad().to_vector() == Numbers{0, 0, 11, 22, 0, 0, 5, 6, 0, 0, 3, 4});
}

TEST_CASE("tokens are gathered and images resized without a copy of their layout, in memory that comes back") {
  const Tensor x = Tensor::ones({4, 9, 16}).requires_grad_(), images = Tensor::ones({2, 8, 8, 3}).requires_grad_();
  const Indices index(4 * 5, 3);
  const auto step = [&] {
    sum(gather_tokens(x.slice(1, 1, 8).slice(2, 0, 12), index, 5)).backward();
    sum(resize_bilinear(images.permute({0, 3, 1, 2}), 6, 6, true)).backward();
  };
  step();
  const MemoryStats before = memory_stats();
  for (int i = 0; i < 3; ++i) step();
  CHECK(memory_stats().strided_copies == before.strided_copies);
#ifndef HV_ASAN  // under AddressSanitizer each buffer is allocated by itself
  CHECK(memory_stats().chunks == before.chunks);
#endif
  gather_tokens(x.transpose(1, 2), Indices(4, 3), 1);
  CHECK(memory_stats().strided_copies == before.strided_copies + 1);
}

// The examples of torch.nn.Upsample's manual, and what the formula says for single pixels.
TEST_CASE("resize_bilinear gives PyTorch's values in both conventions") {
  const Tensor two = Tensor::from({1, 2, 3, 4}, {1, 1, 2, 2});
  check_near(resize_bilinear(two, 4, 4, false),
             {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4});
  check_near(resize_bilinear(two, 4, 4, true),
             {1, 1.3333, 1.6667, 2, 1.6667, 2, 2.3333, 2.6667, 2.3333, 2.6667, 3, 3.3333, 3, 3.3333, 3.6667, 4});
  const Tensor three = Tensor::from({1, 2, 0, 3, 4, 0, 0, 0, 0}, {1, 1, 3, 3});
  check_near(resize_bilinear(three, 6, 6, false).slice(2, 1, 4),
             {1.5, 1.75, 2.25, 1.875, 0.625, 0, 2.5, 2.75, 3.25, 2.625, 0.875, 0, 2.25, 2.4375, 2.8125, 2.25, 0.75, 0});
  check_near(resize_bilinear(three, 6, 6, true).slice(2, 1, 4),
             {1.8, 2.2, 2.6, 2.24, 1.12, 0, 2.6, 3, 3.4, 2.88, 1.44, 0, 2.4, 2.72, 3.04, 2.56, 1.28, 0});
  const Tensor four = Tensor::arange(16).view({1, 1, 4, 4});
  check_near(resize_bilinear(four, 2, 2, false), {2.5, 4.5, 10.5, 12.5});
  check_near(resize_bilinear(four, 2, 2, true), {0, 3, 12, 15});
  check_near(resize_bilinear(three, 1, 1, false), {4});  // the middle
  check_near(resize_bilinear(three, 1, 1, true), {1});   // the first corner
  for (const bool align_corners : {false, true}) {
    check_near(resize_bilinear(Tensor::full({1, 1, 1, 1}, 7), 2, 3, align_corners), Numbers(6, 7));
    CHECK(resize_bilinear(three, 3, 3, align_corners).to_vector() == three.to_vector());
  }
}

TEST_CASE("resize_bilinear: a bad number stays where it has a share") {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::from({1, inf, 3, 4}, {1, 1, 1, 4});
  CHECK(resize_bilinear(x, 1, 2, true).to_vector() == Numbers{1, 4});
  const Numbers same = resize_bilinear(x, 1, 4, false).to_vector();
  CHECK(same[0] == 1);
  CHECK(!std::isfinite(same[1]));
  CHECK(same[2] == 3);
}

}  // namespace hv::test
