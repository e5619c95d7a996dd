// softmax and log_softmax over any dimension. The loops are in core/kernels/softmax.cpp.
#include "core/kernels/softmax.h"

#include "core/ops.h"

namespace hv {
namespace {

Tensor softmax_of(const char* op, bool logarithm, const Tensor& x, int64_t dim) {
  const int d = wrap_dim(dim, x.rank(), op);
  const Tensor y = Tensor::empty(x.shape());
  softmax_forward(logarithm, x.shape(), d, x.data(), x.strides(), y.mutable_data(), y.strides());
  if (!wants_grad({x})) return y;
  // softmax:      dx = y (g - sum(g y))
  // log_softmax:  dx = g - exp(y) sum(g)
  return record(op, y, {x}, [logarithm, d, saved = Saved(y)](const Tensor& g, const Edges& in) {
    const Target to = in[0].open();
    const Tensor& result = saved.get();
    softmax_backward(logarithm, g.shape(), d, g.data(), g.strides(), result.data(), result.strides(), to.add,
                     to.at.mutable_data(), to.at.strides());
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim) { return softmax_of("softmax", false, x, dim); }
Tensor log_softmax(const Tensor& x, int64_t dim) { return softmax_of("log_softmax", true, x, dim); }

}  // namespace hv
