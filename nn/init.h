// Initial weights. Parameters are numbered in the order of construction; each is drawn in pieces of 16384 elements, piece c of
// parameter i from Stream(seed, Purpose::init, c, i). So values depend on the seed and their place alone, and all threads draw.
#pragma once

#include <string>

#include "core/tensor.h"

namespace hv::nn {

class Init {
 public:
  // "trunc_normal": weights from a normal of 0.02 cut at +-2, biases 0. The bounds are absolute, as in timm and PyTorch,
  // and a hundred deviations away; cutting at two deviations instead makes weights 12 % smaller.
  // "reference": weights and biases uniform in +-1/sqrt(fan_in) of the full matrix (what the HydraViT authors' code does).
  Init(const std::string& style, uint64_t seed);
  static bool known(const std::string& style) { return style == "trunc_normal" || style == "reference"; }

  Tensor weight(const Shape& shape, int64_t fan_in);
  Tensor bias(int64_t size, int64_t fan_in);
  Tensor trunc_normal(const Shape& shape, double deviation);  // cut at +-2
  Tensor normal(const Shape& shape, double deviation);

 private:
  template <class Fill>  // fill(stream, begin, end) writes one piece
  Tensor drawn(const Shape& shape, const Fill& fill);
  Tensor drawn_normal(const Shape& shape, double deviation, double cut);  // within `cut` deviations
  bool reference_;
  uint64_t seed_, count_ = 0;
};

}  // namespace hv::nn
