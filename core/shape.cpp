#include "core/shape.h"

#include <algorithm>
#include <ostream>

namespace hv {

Dims::Dims(std::initializer_list<int64_t> values) {
  for (int64_t v : values) push_back(v);
}

Dims Dims::filled(int rank, int64_t value) {
  Dims dims;
  for (int i = 0; i < rank; ++i) dims.push_back(value);
  return dims;
}

void Dims::push_back(int64_t value) {
  HV_CHECK(size_ < kMaxRank, "shape: more than ", kMaxRank, " dimensions");
  values_[static_cast<size_t>(size_++)] = value;
}

void Dims::insert(int at, int64_t value) {
  HV_CHECK(at >= 0 && at <= size_, "shape: insert at ", at, " into ", *this);
  push_back(value);
  std::rotate(begin() + at, end() - 1, end());
}

void Dims::erase(int at) {
  HV_CHECK(at >= 0 && at < size_, "shape: erase at ", at, " from ", *this);
  std::copy(begin() + at + 1, end(), begin() + at);
  --size_;
}

bool Dims::operator==(const Dims& other) const { return size_ == other.size_ && std::equal(begin(), end(), other.begin()); }

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '[';
  for (int i = 0; i < dims.size(); ++i) out << (i ? ", " : "") << dims[i];
  return out << ']';
}

int64_t numel(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) {
    HV_CHECK(d >= 0, "shape: negative size: ", shape);
    HV_CHECK(!__builtin_mul_overflow(n, d, &n) && n <= kMaxElements, "shape: too many elements: ", shape);
  }
  return n;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = Dims::filled(shape.size(), 1);
  for (int i = shape.size() - 2; i >= 0; --i) {
    HV_CHECK(!__builtin_mul_overflow(strides[i + 1], shape[i + 1], &strides[i]), "shape: too many elements: ", shape);
  }
  return strides;
}

int wrap_dim(int64_t dim, int rank, const char* where) {
  const int64_t wrapped = dim < 0 ? dim + rank : dim;
  HV_CHECK(wrapped >= 0 && wrapped < rank, where, ": dimension out of range: ", dim, " of a rank-", rank, " tensor");
  return static_cast<int>(wrapped);
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* where) {
  const int rank = std::max(a.size(), b.size());
  Shape out = Dims::filled(rank, 1);
  for (int i = 1; i <= rank; ++i) {
    const int64_t x = i <= a.size() ? a[-i] : 1;
    const int64_t y = i <= b.size() ? b[-i] : 1;
    HV_CHECK(x == y || x == 1 || y == 1, where, ": shapes do not broadcast: ", a, " and ", b);
    out[-i] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace hv
