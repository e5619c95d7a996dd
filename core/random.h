// Randomness as a function, not a state (idea 5): a counter-based generator.
//
// A Stream is named by (seed, purpose, step or epoch, index). It yields the same numbers at any time and on any thread. To
// resume a run exactly, nothing but those four numbers has to be saved.
//
// The block function is Philox 4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
// Thread rule: a Stream is a small value; use one per thread.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace hv {

// Each use of randomness has a purpose of its own, so no two uses share numbers. Never renumber: runs would not resume.
enum class Purpose : uint32_t {
  init = 1,
  width = 2,
  shuffle = 3,
  crop = 4,
  flip = 5,
  mix = 6,
  erase = 7,
  rand_augment = 8,
  dropout = 9,
  drop_path = 10,
  shapes = 11,
  bench = 12,
  test = 13,
  sample = 14,
  rotate = 15,
  findings = 16,
  bootstrap = 17,
};

inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = 0xD2511F53ull * counter[0];
    const uint64_t b = 0xCD9E8D57ull * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

class Stream {
 public:
  Stream(uint64_t seed, Purpose purpose, uint64_t step = 0, uint64_t index = 0)
      // step < 2^32, index < 2^56; the first word counts the blocks drawn from this stream.
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        counter_{0, static_cast<uint32_t>(index), static_cast<uint32_t>(step),
                 (static_cast<uint32_t>(purpose) << 24) ^ static_cast<uint32_t>(index >> 32)} {}

  uint32_t bits() {
    if (used_ == 4) {
      block_ = philox(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }
  // Uniform in [0, 1) on a grid of 2^-53.
  double uniform() {
    const uint64_t high = bits() >> 5, low = bits() >> 6;
    return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // Uniform in {0, ..., n - 1}, unbiased (Lemire 2019, with rejection); n > 0.
  uint32_t below(uint32_t n) {
    uint64_t product = static_cast<uint64_t>(bits()) * n;
    if (static_cast<uint32_t>(product) < n) {
      const uint32_t floor = (0u - n) % n;
      while (static_cast<uint32_t>(product) < floor) product = static_cast<uint64_t>(bits()) * n;
    }
    return static_cast<uint32_t>(product >> 32);
  }
  bool chance(double p) { return uniform() < p; }
  // Standard normal (Box-Muller, one of the pair).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  // Gamma(shape, 1): Marsaglia and Tsang 2000; shape < 1 through gamma(shape + 1) * u^(1/shape).
  double gamma(double shape) {
    if (shape < 1.0) {
      const double larger = gamma(shape + 1.0);  // drawn first: the operands of * have no order of their own
      return larger * std::pow(1.0 - uniform(), 1.0 / shape);
    }
    const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
      const double x = normal(), t = 1.0 + c * x;
      if (t <= 0.0) continue;
      const double v = t * t * t;
      if (std::log(1.0 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }
  double beta(double a, double b) {
    const double x = gamma(a), y = gamma(b);
    return x + y > 0.0 ? x / (x + y) : 0.5;
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  uint32_t used_ = 4;
};

}  // namespace hv
