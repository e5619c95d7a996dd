// softmax and log_softmax along one dimension of a tensor of any layout. The maximum is subtracted first, so that no
// exponential overflows. Sums are accumulated in double.
// Thread rule: both functions open a parallel region if the work is large.
#pragma once

#include "core/kernels/strided.h"

namespace hv {

// y = softmax(x), or its logarithm, along `dim`.
void softmax_forward(bool logarithm, const Shape& shape, int dim, const Real* x, const Strides& x_strides, Real* y,
                     const Strides& y_strides);
// dx (+)= the gradient for g = dy:
//   softmax:      dx = y (g - sum(g y))
//   log_softmax:  dx = g - exp(y) sum(g)
void softmax_backward(bool logarithm, const Shape& shape, int dim, const Real* g, const Strides& g_strides, const Real* y,
                      const Strides& y_strides, bool add, Real* dx, const Strides& dx_strides);

}  // namespace hv
