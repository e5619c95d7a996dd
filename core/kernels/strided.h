// Copy, add and fill over any layout: the loops under copy_, add_ and fill_.
//
// Invariants
//   1. Destination and source have the same shape; strides are free, a source stride of 0 repeats.
//   2. A destination stride of 0 makes the addition a sum over that dimension; such loops run on one thread, in index order.
#pragma once

#include "core/parallel.h"
#include "core/shape.h"
#include "core/storage.h"

namespace hv {

struct StridedPair {  // dimensions outermost first, size-1 dropped, neighbours joined where both sides allow it
  Shape shape;
  Strides to, from;
};

inline StridedPair collapse(const Shape& shape, const Strides& to, const Strides& from) {
  StridedPair out;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    const int last = out.shape.size() - 1;
    if (last >= 0 && out.to[last] == to[i] * shape[i] && out.from[last] == from[i] * shape[i]) {
      out.shape[last] *= shape[i];
      out.to[last] = to[i];
      out.from[last] = from[i];
    } else {
      out.shape.push_back(shape[i]);
      out.to.push_back(to[i]);
      out.from.push_back(from[i]);
    }
  }
  if (out.shape.empty()) out = {{1}, {1}, {1}};
  return out;
}

// body(to, from, n, to_stride, from_stride) for each innermost row.
template <class Body>
void strided_rows(const Shape& shape, const Strides& to_strides, const Strides& from_strides, Real* to, const Real* from,
                  const Body& body) {
  if (numel(shape) == 0) return;
  const StridedPair loop = collapse(shape, to_strides, from_strides);
  const int outer = loop.shape.size() - 1;
  const int64_t n = loop.shape[outer];
  int64_t rows = 1;
  bool repeats = loop.to[outer] == 0;
  for (int i = 0; i < outer; ++i) {
    rows *= loop.shape[i];
    repeats = repeats || loop.to[i] == 0;
  }
  const auto run_row = [&](int64_t row, int64_t begin, int64_t end) {
    Real* t = to;
    const Real* f = from;
    for (int i = outer - 1; i >= 0; --i) {
      const int64_t at = row % loop.shape[i];
      row /= loop.shape[i];
      t += at * loop.to[i];
      f += at * loop.from[i];
    }
    body(t + begin * loop.to[outer], f + begin * loop.from[outer], end - begin, loop.to[outer], loop.from[outer]);
  };
  constexpr int64_t kGrain = 16384;  // elements a block: enough to outweigh handing it to a thread
  if (repeats || rows * n <= kGrain) {
    for (int64_t row = 0; row < rows; ++row) run_row(row, 0, n);
  } else if (n >= kGrain) {
    const int64_t pieces = (n + kGrain - 1) / kGrain;
    parallel_for(rows * pieces, [&](int64_t i) {
      const int64_t begin = i % pieces * kGrain;
      run_row(i / pieces, begin, begin + kGrain < n ? begin + kGrain : n);
    });
  } else {
    parallel_blocks(rows, (kGrain + n - 1) / n, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) run_row(row, 0, n);
    });
  }
}

}  // namespace hv
