// Calls the elementwise kernels with tensors: broadcasting, and its reverse in backward.
#pragma once

#include "core/autograd.h"
#include "core/kernels/elementwise.h"

namespace hv {

// Strides of t, broadcast to `shape`: 0 along dimensions in which it is repeated. The shapes must broadcast.
inline Strides broadcast_strides(const Tensor& t, const Shape& shape) {
  Strides out = Dims::filled(shape.size(), 0);
  for (int i = 1; i <= t.rank(); ++i) {
    if (t.size(-i) != 1) out[-i] = t.strides()[-i];
  }
  return out;
}

// to (+)= f(in...), elementwise; inputs broadcast to the shape of `to`.
template <class F, class... In>
void map_into(const Target& to, F f, const In&... in) {
  const Shape& shape = to.at.shape();
  map_elements<sizeof...(In)>(f, to.add, shape, {to.at.strides(), broadcast_strides(in, shape)...}, to.at.mutable_data(),
                              {in.data()...});
}

// A new tensor f(in...) of `shape`, to which the inputs broadcast.
template <class F, class... In>
Tensor map(F f, const Shape& shape, const In&... in) {
  Tensor y = Tensor::empty(shape);
  map_into({y, false}, f, in...);
  return y;
}

// Sends the gradient f(g, in...), which has g's shape, to an input that was broadcast to that shape.
template <class F, class... In>
void send(const Edge& to, F f, const Tensor& g, const In&... in) {
  if (!to) return;
  if (to.shape() == g.shape()) {
    map_into(to.open(), f, g, in...);
  } else {
    to.add(sum_to(map(f, g.shape(), g, in...), to.shape()));
  }
}

}  // namespace hv
