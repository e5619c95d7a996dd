// Rows that a forward pass keeps for backward: the tensor itself, or, if products are computed in bf16, a copy rounded to bf16
// in half the memory. (The products of backward would round the rows anyway.)
//
// Invariants
//   1. If copy() is wanted, each row is put into it once, before the forward pass ends.
//   2. open() reports a tensor that has changed since; call it on the thread that runs backward. What it returns may be read on
//      any thread.
#pragma once

#include <memory>

#include "core/autograd.h"
#include "core/kernels/precision.h"
#include "core/kernels/rows.h"

namespace hv {

class KeptRows {
 public:
  // rows [M, K], unit stride inside. Nothing is kept unless `wanted`. A copy saves memory only if it lets the tensor be freed,
  // so it is made only if no other node keeps the tensor (`only_reader`).
  KeptRows(const Tensor& rows, bool wanted, bool only_reader) : cols_(rows.size(1)) {
    if (!wanted) return;
    if (precision() == Precision::fp32 || !only_reader) {
      full_ = Saved(rows);
    } else {
      half_ = std::make_shared<Storage>((rows.numel() + 1) / 2);
    }
  }
  RoundedRows copy() const { return {half_ ? bits() : nullptr, cols_}; }
  StoredRows open() const {
    if (half_) return {{}, bits(), cols_};
    return {{full_.get().data(), full_.get().strides()[0]}, nullptr, cols_};
  }

 private:
  uint16_t* bits() const { return reinterpret_cast<uint16_t*>(half_->data()); }
  int64_t cols_;
  Saved full_;
  std::shared_ptr<Storage> half_;
};

}  // namespace hv
