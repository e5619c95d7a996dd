#include "nn/init.h"

#include <cmath>

namespace hv::nn {

Init::Init(const std::string& style, uint64_t seed) : reference_(style == "reference"), seed_(seed) {
  HV_CHECK_USAGE(known(style), "init: unknown style '", style, "'; known: trunc_normal, reference");
}

Tensor Init::weight(const Shape& shape, int64_t fan_in) {
  if (!reference_) return trunc_normal(shape, 0.02);
  Stream stream = next();
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return Tensor::uniform(shape, -bound, bound, stream);
}

Tensor Init::bias(int64_t size, int64_t fan_in) {
  Stream stream = next();  // drawn in either style, so that both number the parameters alike
  if (!reference_) return Tensor::zeros({size});
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return Tensor::uniform({size}, -bound, bound, stream);
}

Tensor Init::trunc_normal(const Shape& shape, double std) {
  Stream stream = next();
  Tensor t = Tensor::empty(shape);
  Real* out = t.data();
  for (int64_t i = 0; i < t.numel(); ++i) {
    double x = stream.normal();
    while (std::abs(x) > 2) x = stream.normal();
    out[i] = static_cast<Real>(std * x);
  }
  return t;
}

Tensor Init::normal(const Shape& shape, double std) {
  Stream stream = next();
  return Tensor::normal(shape, 0, std, stream);
}

}  // namespace hv::nn
