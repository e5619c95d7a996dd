// The strided loop: walks N operands of one shape and any strides together, row by row.
//
// Invariants
//   1. Operand 0 is written, the others are read; all have the loop's shape. A stride of 0 repeats an element.
//   2. Size-1 dimensions are dropped and neighbours joined where every operand allows it, so dense operands are one long row.
//   3. Large loops are cut into fixed blocks. A loop that meets an element of operand 0 more than once (a sum) runs on one
//      thread, in index order.
// Thread rule: bodies run in parallel on different rows, so they may write through operand 0 only.
#pragma once

#include <algorithm>
#include <array>

#include "core/parallel.h"
#include "core/shape.h"
#include "core/storage.h"

namespace hv {

template <size_t N>
using Places = std::array<int64_t, N>;  // one position or stride for each operand

template <size_t N>
class StridedLoop {
 public:
  StridedLoop(const Shape& shape, const std::array<Strides, N>& strides) {
    Places<N> none{};
    for (int i = 0; i < shape.size(); ++i) {
      if (shape[i] == 1) continue;
      Places<N> step{};
      for (size_t k = 0; k < N; ++k) step[k] = strides[k][i];
      if (rank_ > 0 && joins(dims_[last()].step, step, shape[i])) {
        dims_[last()] = {dims_[last()].size * shape[i], step};
      } else {
        dims_[static_cast<size_t>(rank_++)] = {shape[i], step};
      }
    }
    if (rank_ == 0) dims_[static_cast<size_t>(rank_++)] = {1, none};
    for (size_t i = 0; i < last(); ++i) rows_ *= dims_[i].size;
  }

  int64_t rows() const { return rows_; }
  int64_t row_size() const { return dims_[last()].size; }
  bool repeats() const {  // does operand 0 meet an element more than once?
    return std::any_of(dims_.begin(), dims_.begin() + rank_, [](const Dim& d) { return d.step[0] == 0 && d.size > 1; });
  }

  // body(at, n, step) for elements [begin, end) of the rows [first, last_row): those of operand k are at
  // at[k], at[k] + step[k], ...
  template <class Body>
  void run(int64_t first, int64_t last_row, int64_t begin, int64_t end, const Body& body) const {
    const Places<N> step = dims_[last()].step;
    const int outer = rank_ - 1;
    Places<N> at{};
    std::array<int64_t, kMaxRank> index{};
    const auto move = [&](const Places<N>& by, int64_t times) {
      for (size_t k = 0; k < N; ++k) at[k] += by[k] * times;
    };
    move(step, begin);
    int64_t rest = first;
    for (int i = outer - 1; i >= 0; --i) {
      const Dim& d = dims_[static_cast<size_t>(i)];
      index[static_cast<size_t>(i)] = rest % d.size;
      move(d.step, rest % d.size);
      rest /= d.size;
    }
    for (int64_t row = first; row < last_row; ++row) {
      body(at, end - begin, step);
      for (int i = outer - 1; i >= 0; --i) {  // the next row, as an odometer counts
        const Dim& d = dims_[static_cast<size_t>(i)];
        move(d.step, 1);
        if (++index[static_cast<size_t>(i)] < d.size) break;
        move(d.step, -d.size);
        index[static_cast<size_t>(i)] = 0;
      }
    }
  }
  template <class Body>
  void run(const Body& body) const {
    run(0, rows_, 0, row_size(), body);
  }

 private:
  struct Dim {
    int64_t size = 1;
    Places<N> step{};
  };
  size_t last() const { return static_cast<size_t>(rank_ - 1); }
  static bool joins(const Places<N>& outer, const Places<N>& inner, int64_t inner_size) {
    for (size_t k = 0; k < N; ++k) {
      if (outer[k] != inner[k] * inner_size) return false;
    }
    return true;
  }

  std::array<Dim, kMaxRank> dims_{};  // outermost first
  int rank_ = 0;
  int64_t rows_ = 1;
};

// body(at, n, step) over the whole loop, on all cores if it is large. `cost` is the work of one element, in copies of one.
template <size_t N, class Body>
void strided_loop(const Shape& shape, const std::array<Strides, N>& strides, const Body& body, int64_t cost = 1) {
  if (numel(shape) == 0) return;
  const StridedLoop<N> loop(shape, strides);
  const int64_t rows = loop.rows(), n = loop.row_size();
  // Elements per block: enough to outweigh the cost of handing it to a thread.
  const int64_t grain = std::max<int64_t>(16384 / cost, 64);
  if (loop.repeats() || rows * n <= grain) {
    loop.run(body);
  } else if (n >= grain) {
    const int64_t pieces = (n + grain - 1) / grain;
    parallel_for(rows * pieces, [&](int64_t i) {
      const int64_t row = i / pieces, begin = i % pieces * grain;
      loop.run(row, row + 1, begin, std::min(begin + grain, n), body);
    });
  } else {
    parallel_blocks(rows, (grain + n - 1) / n, [&](int64_t begin, int64_t end) { loop.run(begin, end, 0, n, body); });
  }
}

// Two operands: body(to, from, n, to_stride, from_stride) for each row. The loops under copy_, add_ and fill_.
template <class Body>
void strided_rows(const Shape& shape, const Strides& to_strides, const Strides& from_strides, Real* to, const Real* from,
                  const Body& body) {
  strided_loop<2>(shape, {to_strides, from_strides}, [&](const Places<2>& at, int64_t n, const Places<2>& step) {
    body(to + at[0], from + at[1], n, step[0], step[1]);
  });
}

}  // namespace hv
