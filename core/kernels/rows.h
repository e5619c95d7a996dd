// How kernels are told where rows lie: rows to read, rows to keep for later, rows to write or to add to.
//
// Invariants
//   1. Rows have unit stride inside; `ld` is the distance between rows.
// Thread rule: plain values; each thread may read, keep or write rows of its own.
#pragma once

#include <algorithm>

#include "core/kernels/simd.h"

namespace hv {

// A result. data null: nobody wants it.
struct RowsOut {
  Real* data = nullptr;
  int64_t ld = 0;
  bool add = false;  // += instead of =
  explicit operator bool() const { return data != nullptr; }
};

// A copy of rows, rounded to bf16, dense. bits null: no copy is wanted.
struct RoundedRows {
  uint16_t* bits = nullptr;
  int64_t cols = 0;
  explicit operator bool() const { return bits != nullptr; }
  // Rows [begin, end), of which the first lies at `from`.
  void put(const Real* from, int64_t ld, int64_t begin, int64_t end) const {
    for (int64_t r = begin; r < end; ++r) simd::kernels().to_bf16(from + (r - begin) * ld, bits + r * cols, cols);
  }
};

struct RowsIn {
  const Real* data = nullptr;
  int64_t ld = 0;
};

// Rows to read again in backward: the rows themselves, or a copy rounded to bf16.
struct StoredRows {
  RowsIn full{};
  const uint16_t* bits = nullptr;  // the copy, dense; null: `full` counts
  int64_t cols = 0;
  // Columns [left, left + count) of rows [begin, end), copied to rows that are `ld` apart.
  void copy(int64_t begin, int64_t end, int64_t left, int64_t count, Real* to, int64_t ld) const {
    for (int64_t r = begin; r < end; ++r, to += ld) {
      if (bits) simd::kernels().from_bf16(bits + r * cols + left, to, count);
      if (!bits) std::copy_n(full.data + r * full.ld + left, count, to);
    }
  }
  // Rows [begin, end), columns [left, left + count): in place, or widened into `workspace`, (end - begin) * count elements.
  RowsIn rows(int64_t begin, int64_t end, int64_t left, int64_t count, Real* workspace) const {
    if (!bits) return {full.data + begin * full.ld + left, full.ld};
    for (int64_t r = begin; r < end; ++r) {
      simd::kernels().from_bf16(bits + r * cols + left, workspace + (r - begin) * count, count);
    }
    return {workspace, count};
  }
};

}  // namespace hv
