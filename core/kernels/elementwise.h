// Maps and reductions over operands of any layout, as templates over a small functor.
//
// Invariants
//   1. Operands are raw memory and strides; nothing is allocated, no layout is copied.
//   2. Sums are accumulated in double, each output by one thread, in a fixed order.
// Thread rule: all open a parallel region if the work is large.
#pragma once

#include <utility>

#include "core/kernels/strided.h"

namespace hv {

namespace detail {

template <class F, size_t... K>
void map(F f, bool add, const Shape& shape, const std::array<Strides, sizeof...(K) + 1>& strides, Real* out,
         const std::array<const Real*, sizeof...(K)>& in, std::index_sequence<K...>) {
  constexpr size_t kAll = sizeof...(K) + 1;
  strided_loop<kAll>(shape, strides, [=](const Places<kAll>& at, int64_t n, const Places<kAll>& step) {
    Real* const to = out + at[0];
    const std::array<const Real*, sizeof...(K)> from{in[K] + at[K + 1]...};
    const bool unit = step[0] == 1 && ((step[K + 1] == 1) && ...);
    if (unit && add) {
      for (int64_t i = 0; i < n; ++i) to[i] += f(from[K][i]...);
    } else if (unit) {
      for (int64_t i = 0; i < n; ++i) to[i] = f(from[K][i]...);
    } else if (add) {
      for (int64_t i = 0; i < n; ++i) to[i * step[0]] += f(from[K][i * step[K + 1]]...);
    } else {
      for (int64_t i = 0; i < n; ++i) to[i * step[0]] = f(from[K][i * step[K + 1]]...);
    }
  });
}

}  // namespace detail

// out[i] = f(in0[i], in1[i], ...) for every index of `shape`; += with add. strides: the output's, then the inputs'.
template <size_t N, class F>
void map_elements(F f, bool add, const Shape& shape, const std::array<Strides, N + 1>& strides, Real* out,
                  const std::array<const Real*, N>& in) {
  detail::map(f, add, shape, strides, out, in, std::make_index_sequence<N>{});
}

struct SumFold {
  static constexpr double start = 0;
  static double step(double a, double v) { return a + v; }
};
struct MaxFold {  // NaN wins: it must stay visible
  static constexpr double start = -__builtin_huge_val();
  static double step(double a, double v) { return v > a || v != v ? v : a; }
};

// n numbers folded into four running values, so that no addition waits for the one before it.
template <class Fold>
double fold_row(const Real* x, int64_t n, int64_t step) {
  double lanes[4] = {Fold::start, Fold::start, Fold::start, Fold::start};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int64_t k = 0; k < 4; ++k) lanes[k] = Fold::step(lanes[k], x[(i + k) * step]);
  }
  for (; i < n; ++i) lanes[0] = Fold::step(lanes[0], x[i * step]);
  return Fold::step(Fold::step(lanes[0], lanes[1]), Fold::step(lanes[2], lanes[3]));
}

// out (dense, of shape `kept`) = the fold of x over the dimensions `reduced`, divided by `divisor` before it is rounded.
template <class Fold>
void reduce_elements(const Shape& kept, const Strides& kept_strides, const Shape& reduced, const Strides& reduced_strides,
                     const Real* x, Real* out, double divisor = 1) {
  const int64_t count = numel(reduced);
  if (count == 0) {
    std::fill_n(out, numel(kept), static_cast<Real>(Fold::start / divisor));
    return;
  }
  const StridedLoop<1> inner(reduced, {reduced_strides});
  const auto outputs = [&](const Places<2>& at, int64_t n, const Places<2>& step) {
    constexpr int64_t kChunk = 32;  // outputs computed together, because their inputs are neighbours in memory
    for (int64_t first = 0; first < n; first += kChunk) {
      const int64_t width = std::min(kChunk, n - first);
      const Real* const from = x + at[1] + first * step[1];
      double folded[kChunk];
      std::fill_n(folded, width, Fold::start);
      inner.run([&](const Places<1>& row, int64_t length, const Places<1>& along) {
        const Real* const r = from + row[0];
        if (step[1] == 1) {
          for (int64_t i = 0; i < length; ++i) {
            for (int64_t j = 0; j < width; ++j) folded[j] = Fold::step(folded[j], r[i * along[0] + j]);
          }
        } else {
          for (int64_t j = 0; j < width; ++j) {
            folded[j] = Fold::step(folded[j], fold_row<Fold>(r + j * step[1], length, along[0]));
          }
        }
      });
      for (int64_t j = 0; j < width; ++j) out[at[0] + (first + j) * step[0]] = static_cast<Real>(folded[j] / divisor);
    }
  };
  strided_loop<2>(kept, {contiguous_strides(kept), kept_strides}, outputs, count);
}

// out (dense, of shape `kept`) = where each row of n elements, `step` apart, has its largest: the first of equals.
inline void argmax_rows(const Shape& kept, const Strides& kept_strides, int64_t n, int64_t step, const Real* x, int64_t* out) {
  const auto rows = [=](const Places<2>& at, int64_t count, const Places<2>& along) {
    for (int64_t r = 0; r < count; ++r) {
      const Real* const row = x + at[1] + r * along[1];
      int64_t top = 0;
      for (int64_t i = 1; i < n; ++i) {
        const Real v = row[i * step], most = row[top * step];
        if (v > most || (v != v && most == most)) top = i;  // NaN counts as the largest
      }
      out[at[0] + r * along[0]] = top;
    }
  };
  strided_loop<2>(kept, {contiguous_strides(kept), kept_strides}, rows, n);
}

}  // namespace hv
