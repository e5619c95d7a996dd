// What the copies in this folder leave out: make_compact.cpp writes them, tests/golden.h reads them.
//
//   1. Of a larger gradient, updated weight or hidden state they hold each kEvery-th number, from the first on, in row-major
//      order: a row of them. kEvery divides no width of these models, so each row and each column of a matrix is met.
//   2. A tensor that another file of the system holds bit for bit is named in the metadata instead: "same_in.FILE" is a list
//      of names, with a space between two.
#pragma once

#include <cstdint>

namespace hv::test {

inline constexpr int64_t kEvery = 11, kWhole = 256;  // tensors of at most kWhole numbers are whole
inline constexpr const char* kSameIn = "same_in.";

}  // namespace hv::test
