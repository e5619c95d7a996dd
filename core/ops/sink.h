// Where a kernel writes the gradient of one input: straight into the gradient's own memory if that has rows of unit stride.
// Otherwise, or if another input of the same operation is the same tensor, into a temporary that finish() adds.
#pragma once

#include "core/autograd.h"
#include "core/kernels/rows.h"

namespace hv {

class Sink : public RowsOut {
 public:
  Sink() = default;  // nobody wants this gradient
  // `rows` x `cols` is how the kernel sees the input; a vector is one row. Each of the two may be 0.
  Sink(const Edges& in, size_t i, int64_t rows, int64_t cols) {
    if (!in[i]) return;
    edge_ = &in[i];
    if (fits(in, i, cols)) {
      target_ = in[i].open();
      add = target_.add;
      ld = in[i].leaf().defined() && target_.at.rank() == 2 ? target_.at.strides()[0] : cols;
    } else {
      target_ = {Tensor::empty(in[i].shape()), false};
      temporary_ = true;
      ld = cols;
    }
    data = target_.at.mutable_data();
    HV_CHECK(target_.at.numel() == rows * cols, "backward: gradient of ", target_.at.shape(), " seen as ", rows, " x ", cols);
  }
  void finish() const {
    if (temporary_) edge_->add(target_.at);
  }

 private:
  static bool fits(const Edges& in, size_t i, int64_t cols) {
    if (in[i].node()) {  // a result's gradient is contiguous, but can be opened once only
      for (size_t j = 0; j < in.size(); ++j) {
        if (j != i && in[j].node() == in[i].node()) return false;
      }
      return true;
    }
    const Tensor& leaf = in[i].leaf();
    return leaf.is_contiguous() || (leaf.rank() == 2 && leaf.strides()[1] == 1 && leaf.strides()[0] >= cols);
  }

  const Edge* edge_ = nullptr;
  Target target_{};
  bool temporary_ = false;
};

}  // namespace hv
