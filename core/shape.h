// Shapes and strides: short lists of integers that never allocate.
//
// Invariants
//   1. A Dims holds at most kMaxRank entries; rank 0 is a scalar with one element.
//   2. Strides count elements, not bytes; an expanded dimension has stride 0.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>

#include "core/check.h"

namespace hv {

inline constexpr int kMaxRank = 8;

class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> values);
  static Dims filled(int rank, int64_t value);

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Negative indices count from the end: d[-1] is the last entry.
  int64_t operator[](int64_t i) const { return values_[checked(i)]; }
  int64_t& operator[](int64_t i) { return values_[checked(i)]; }
  const int64_t* begin() const { return values_.data(); }
  const int64_t* end() const { return values_.data() + size_; }
  int64_t* begin() { return values_.data(); }
  int64_t* end() { return values_.data() + size_; }
  void push_back(int64_t value);
  void insert(int at, int64_t value);
  void erase(int at);
  bool operator==(const Dims& other) const;

 private:
  size_t checked(int64_t i) const {
    const int64_t j = i < 0 ? i + size_ : i;
    HV_CHECK(j >= 0 && j < size_, "shape: dimension ", i, " of a rank-", size_, " shape");
    return static_cast<size_t>(j);
  }
  std::array<int64_t, kMaxRank> values_{};
  int size_ = 0;
};

using Shape = Dims;
using Strides = Dims;

std::ostream& operator<<(std::ostream& out, const Dims& dims);  // [2, 3]

// The most elements that a shape may have, also an expanded one. So counters of loops, times small numbers, do not overflow.
inline constexpr int64_t kMaxElements = int64_t{1} << 56;
int64_t numel(const Shape& shape);                                          // product; 1 for rank 0; at most kMaxElements
Strides contiguous_strides(const Shape& shape);                             // row-major
int wrap_dim(int64_t dim, int rank, const char* where);                     // -1 -> rank - 1; out of range is an error
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* where);  // NumPy's rule

}  // namespace hv
