// Rows that a forward pass leaves for backward: the tensor itself, or, where products are made in bf16, a copy rounded to bf16
// in half the memory (the tensor is then free to go). The products of backward would round them anyway.
//
// Invariants
//   1. put() is called once for each row before the forward pass ends, where the copy is wanted; each thread may put rows of
//      its own.
//   2. open() checks that the tensor has not changed since, on the thread that runs backward; what it returns serves any
//      thread.
#pragma once

#include <memory>

#include "core/autograd.h"
#include "core/kernels/precision.h"
#include "core/kernels/simd.h"

namespace hv {

class KeptRows {
 public:
  // rows [M, K], unit stride inside. Nothing is kept unless `wanted`; no copy is made unless `alone`: nobody else keeps the
  // tensor.
  KeptRows(const Tensor& rows, bool wanted, bool alone) : cols_(rows.size(1)) {
    if (!wanted) return;
    if (precision() == Precision::fp32 || !alone) {
      full_ = Saved(rows);
    } else {
      half_ = std::make_shared<Storage>((rows.numel() + 1) / 2);
    }
  }
  bool wants_copy() const { return half_ != nullptr; }
  void put(const Real* from, int64_t ld, int64_t begin, int64_t end) const {
    for (int64_t r = begin; r < end; ++r) simd::kernels().to_bf16(from + (r - begin) * ld, bits() + r * cols_, cols_);
  }

  struct Rows {
    const Real* data;
    int64_t ld;
  };
  class Opened {
   public:
    // Rows [begin, end), columns [left, left + cols): in place, or widened into `room`.
    Rows rows(int64_t begin, int64_t end, int64_t left, int64_t cols, Real* room) const {
      if (!bits_) return {full_.data + begin * full_.ld + left, full_.ld};
      for (int64_t r = begin; r < end; ++r)
        simd::kernels().from_bf16(bits_ + r * cols_ + left, room + (r - begin) * cols, cols);
      return {room, cols};
    }

   private:
    friend class KeptRows;
    Rows full_{};
    const uint16_t* bits_ = nullptr;
    int64_t cols_ = 0;
  };
  Opened open() const {
    Opened opened;
    opened.cols_ = cols_;
    if (half_) {
      opened.bits_ = bits();
    } else {
      opened.full_ = {full_.get().data(), full_.get().strides()[0]};
    }
    return opened;
  }

 private:
  uint16_t* bits() const { return reinterpret_cast<uint16_t*>(half_->data()); }
  int64_t cols_;
  Saved full_;
  std::shared_ptr<Storage> half_;
};

}  // namespace hv
