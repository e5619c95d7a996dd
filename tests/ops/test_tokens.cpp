// Choosing and gathering tokens: what the table of operations does not show. Order, ties and NaN, no hidden copies.
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

TEST_CASE("tokens are gathered without a copy of their layout, in memory that comes back") {
  const Tensor x = Tensor::ones({4, 9, 16}).requires_grad_();
  const Indices index(4 * 5, 3);
  const auto step = [&] { sum(gather_tokens(x.slice(1, 1, 8).slice(2, 0, 12), index, 5)).backward(); };
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

}  // namespace hv::test
