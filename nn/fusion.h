// Fusion: a value whose last operations are not computed yet, so that the next layer can join them into one operation.
//
// LayerNorm, gelu and Linear return a Lazy. It holds their operands and stands for f(x) W^T + b, where f is nothing, GELU or
// LayerNorm; without a weight it stands for f(x). It becomes a Tensor where one is needed, by the fused operation of core/ops.h
// that fits, so that only x is kept for backward, where f(x) is recomputed:
//
//     fc1(norm(x))          norm_linear(x, gain, shift, eps, W, b)
//     fc2(gelu(h))          gelu_linear(h, W, b)               for example with h = fc1(x)
//     y + proj(x)           linear(x, W, b, y)                 the residual y is added inside the product
//     y + fc2(gelu(h))      gelu_linear(h, W, b, y)
//
// Dropout, DropPath and LayerScale return the Lazy unchanged if they are off. If they are on, they compute it first.
//
// Limits
//   1. A Lazy is an expression and not a result: every conversion computes it. A value that is used twice needs the type
//      Tensor: `const Tensor h = fc1(x);`, never `const auto h = fc1(x);`.
//   2. A layer takes the parts of its parameters (nn/part.h) when it is called. Their elements are read at the conversion, and
//      NoGrad counts there.
//   3. Only tensor + lazy is joined, and only for equal shapes. In lazy + tensor, in a sum that broadcasts and in a residual of
//      norm_linear, the value is computed first and added afterwards.
// Thread rule: as core/ops.h.
#pragma once

#include <utility>

#include "core/ops.h"

namespace hv::nn {

struct Lazy {
  enum class Front { none, gelu, norm };

  Tensor x;  // [.., K]
  Front f = Front::none;
  Tensor gain, shift;  // [K], of f = norm
  double eps = 0;
  Tensor weight, bias;  // [N, K] and [N]; undefined: the value is f(x)

  Lazy(Tensor value) : x(std::move(value)) {}
  operator Tensor() const { return plus({}); }
  Tensor plus(const Tensor& residual) const;  // residual + value; an undefined residual adds nothing
  Shape shape() const;                        // of the value: [.., N], or [.., K] without a weight
};

Lazy lazy_layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps);
Lazy lazy_linear(const Lazy& x, const Tensor& weight, const Tensor& bias);
Lazy gelu(const Lazy& x);  // gelu(Tensor) stays the plain operation
Tensor operator+(const Tensor& residual, const Lazy& value);

}  // namespace hv::nn
