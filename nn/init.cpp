#include "nn/init.h"

#include <cmath>

#include "core/parallel.h"

namespace hv::nn {
namespace {

thread_local bool undrawn = false;

}  // namespace

Undrawn::Undrawn() : before_(undrawn) { undrawn = true; }
Undrawn::~Undrawn() { undrawn = before_; }

Init::Init(const std::string& style, uint64_t seed) : reference_(style == "reference"), seed_(seed) {
  HV_CHECK_USAGE(known(style), "init: unknown style '", style, "'; known: trunc_normal, reference");
}

template <class Fill>
Tensor Init::drawn(const Shape& shape, const Fill& fill) {
  constexpr int64_t kPiece = 16384;  // never to be changed: it decides what a seed means
  const uint64_t number = count_++;
  const Tensor t = Tensor::empty(shape);
  if (undrawn) return t;
  Real* const out = t.mutable_data();
  parallel_blocks(t.numel(), kPiece, [&](int64_t begin, int64_t end) {
    Stream stream(seed_, Purpose::init, static_cast<uint64_t>(begin / kPiece), number);
    fill(stream, out + begin, out + end);
  });
  return t;
}

Tensor Init::weight(const Shape& shape, int64_t fan_in) {
  if (!reference_) return trunc_normal(shape, 0.02);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return drawn(shape, [bound](Stream& stream, Real* out, Real* end) {
    while (out < end) *out++ = static_cast<Real>(stream.uniform(-bound, bound));
  });
}

Tensor Init::bias(int64_t size, int64_t fan_in) {
  if (reference_) return weight({size}, fan_in);
  ++count_;  // both styles give a parameter the same number
  return Tensor::zeros({size});
}

Tensor Init::normal(const Shape& shape, double deviation) { return drawn_normal(shape, deviation, INFINITY); }
Tensor Init::trunc_normal(const Shape& shape, double deviation) { return drawn_normal(shape, deviation, 2 / deviation); }

// Marsaglia's polar method: one logarithm and one root give two numbers, because a large model draws millions.
Tensor Init::drawn_normal(const Shape& shape, double deviation, double cut) {
  return drawn(shape, [=](Stream& stream, Real* out, Real* end) {
    while (out < end) {
      const double a = stream.uniform(-1, 1), b = stream.uniform(-1, 1), square = a * a + b * b;
      if (square >= 1 || square == 0) continue;
      const double stretch = std::sqrt(-2 * std::log(square) / square);
      for (double x : {a * stretch, b * stretch}) {
        if (std::abs(x) <= cut && out < end) *out++ = static_cast<Real>(deviation * x);
      }
    }
  });
}

}  // namespace hv::nn
