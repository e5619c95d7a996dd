// Counter-based randomness: the published Philox vectors, unbiased integers, moments, and any order of draws.
#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <vector>

#include "core/random.h"

using namespace hv;

TEST_CASE("Philox 4x32-10 gives the published known answers") {
  using Block = std::array<uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr uint32_t kFull = 0xffffffff;
  CHECK(philox({kFull, kFull, kFull, kFull}, {kFull, kFull}) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is a function of its four numbers, and different numbers give different streams") {
  const auto first = [](uint64_t seed, Purpose purpose, uint64_t step, uint64_t index) {
    Stream s(seed, purpose, step, index);
    const uint64_t high = s.bits();
    return high << 32 | s.bits();
  };
  CHECK(first(1, Purpose::crop, 2, 3) == first(1, Purpose::crop, 2, 3));
  std::set<uint64_t> seen;
  for (uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
    for (Purpose purpose : {Purpose::crop, Purpose::flip}) {
      for (uint64_t step : {0, 1, 7}) {
        for (uint64_t index : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, uint64_t{1} << 55})
          seen.insert(first(seed, purpose, step, index));
      }
    }
  }
  CHECK(seen.size() == 3 * 2 * 3 * 4);
  Stream a(5, Purpose::test);
  std::set<uint32_t> words;
  for (int i = 0; i < 4000; ++i) words.insert(a.bits());
  CHECK(words.size() > 3990);  // blocks do not repeat
}

TEST_CASE("below(n) is uniform and never reaches n") {
  for (uint32_t n : {1u, 3u, 6u, 10u}) {
    Stream s(3, Purpose::test, n);
    std::vector<int> counts(n);
    constexpr int kDraws = 120000;
    bool in_range = true;
    for (int i = 0; i < kDraws; ++i) {
      const uint32_t v = s.below(n);
      in_range = in_range && v < n;
      ++counts[v % n];
    }
    CHECK(in_range);
    double chi = 0;
    const double expected = static_cast<double>(kDraws) / n;
    for (int c : counts) chi += (c - expected) * (c - expected) / expected;
    CHECK(chi < 27.9);  // 0.1 % point of chi-square with 9 degrees of freedom
  }
  // A multiplier without rejection would give the low half of [0, 3 * 2^30) twice the share of the rest.
  constexpr uint32_t kBig = 3u << 30;
  Stream s(4, Purpose::test);
  int low = 0;
  for (int i = 0; i < 30000; ++i) low += s.below(kBig) % 3 == 0;
  CHECK(low == doctest::Approx(10000).epsilon(0.033));  // four standard deviations
}

TEST_CASE("moments of uniform, normal, gamma and beta") {
  constexpr int kDraws = 100000;
  const auto moments = [](auto&& draw) {
    double sum = 0, square = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double v = draw();
      sum += v;
      square += v * v;
    }
    const double mean = sum / kDraws;
    return std::pair{mean, square / kDraws - mean * mean};
  };
  Stream s(9, Purpose::test);
  const auto [um, uv] = moments([&] { return s.uniform(); });
  CHECK(um == doctest::Approx(0.5).epsilon(0.01));
  CHECK(uv == doctest::Approx(1.0 / 12).epsilon(0.02));
  const auto [nm, nv] = moments([&] { return s.normal(); });
  CHECK(std::abs(nm) < 0.013);  // four standard deviations
  CHECK(nv == doctest::Approx(1).epsilon(0.02));
  for (double shape : {0.4, 1.0, 3.0}) {
    const auto [gm, gv] = moments([&] { return s.gamma(shape); });
    CHECK(gm == doctest::Approx(shape).epsilon(0.03));
    CHECK(gv == doctest::Approx(shape).epsilon(0.06));
  }
  const auto [bm, bv] = moments([&] { return s.beta(0.8, 0.8); });
  CHECK(bm == doctest::Approx(0.5).epsilon(0.015));
  CHECK(bv == doctest::Approx(0.25 / 2.6).epsilon(0.03));
  int heads = 0;
  for (int i = 0; i < kDraws; ++i) heads += s.chance(0.2);
  CHECK(heads == doctest::Approx(20000).epsilon(0.026));
}
