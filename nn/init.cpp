#include "nn/init.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace hv::nn {

Init::Init(const std::string& style, uint64_t seed) : reference_(style == "reference"), seed_(seed) {
  HV_CHECK_USAGE(known(style), "init: unknown style '", style, "'; known: trunc_normal, reference");
}

template <class Draw>
Tensor Init::drawn(const Shape& shape, const Draw& draw) {
  constexpr int64_t kPiece = 16384;  // part of what a seed means: never to be changed
  const uint64_t number = count_++;
  const Tensor t = Tensor::empty(shape);
  parallel_blocks(t.numel(), kPiece, [&](int64_t begin, int64_t end) {
    Stream stream(seed_, Purpose::init, static_cast<uint64_t>(begin / kPiece), number);
    std::generate(t.data() + begin, t.data() + end, [&] { return static_cast<Real>(draw(stream)); });
  });
  return t;
}

Tensor Init::weight(const Shape& shape, int64_t fan_in) {
  if (!reference_) return trunc_normal(shape, 0.02);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return drawn(shape, [bound](Stream& s) { return s.uniform(-bound, bound); });
}

Tensor Init::bias(int64_t size, int64_t fan_in) {
  if (reference_) return weight({size}, fan_in);
  ++count_;  // both styles number the parameters alike
  return Tensor::zeros({size});
}

Tensor Init::trunc_normal(const Shape& shape, double std) {
  return drawn(shape, [std](Stream& s) {
    double x = s.normal();
    while (std::abs(x) > 2) x = s.normal();
    return std * x;
  });
}

Tensor Init::normal(const Shape& shape, double std) {
  return drawn(shape, [std](Stream& s) { return std * s.normal(); });
}

}  // namespace hv::nn
