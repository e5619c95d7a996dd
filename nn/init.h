// Initial weights. Parameters are numbered in the order of construction. Each is drawn in pieces of 16384 elements: piece c of
// parameter i comes from Stream(seed, Purpose::init, c, i). So values depend only on the seed and their place, and all threads
// draw.
#pragma once

#include <string>

#include "core/tensor.h"

namespace hv::nn {

// While one exists on a thread, an Init there draws nothing: its tensors have any values. For a model whose weights are all
// written next, because drawing those of a large model takes seconds.
class Undrawn {
 public:
  Undrawn();
  ~Undrawn();
  Undrawn(const Undrawn&) = delete;
  Undrawn& operator=(const Undrawn&) = delete;

 private:
  bool before_;
};

class Init {
 public:
  // "trunc_normal": weights from a normal distribution of deviation 0.02, cut at +-2; biases 0. The bounds are absolute, as in
  // timm and PyTorch, and a hundred deviations away. A cut at two deviations would make weights 12 % smaller.
  // "reference": weights and biases uniform in +-1/sqrt(fan_in) of the full matrix, as in the code of HydraViT's authors.
  Init(const std::string& style, uint64_t seed);
  static bool known(const std::string& style) { return style == "trunc_normal" || style == "reference"; }

  Tensor weight(const Shape& shape, int64_t fan_in);
  Tensor bias(int64_t size, int64_t fan_in);
  Tensor trunc_normal(const Shape& shape, double deviation);  // cut at +-2
  Tensor normal(const Shape& shape, double deviation);

 private:
  template <class Fill>  // fill(stream, begin, end) writes one piece
  Tensor drawn(const Shape& shape, const Fill& fill);
  Tensor drawn_normal(const Shape& shape, double deviation, double cut);  // nothing beyond `cut` deviations
  bool reference_;
  uint64_t seed_, count_ = 0;
};

}  // namespace hv::nn
