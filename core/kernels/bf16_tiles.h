// Inside core/kernels/bf16.cpp: packed operands, and the tiles of C that are computed from them.
//
// Packed, both operands consist of 1 KiB tiles of 16 rows of 16 pairs of bf16 (a pair: two neighbours along K):
//   A tile: row i, pair p  = A(i, 2p), A(i, 2p + 1)         16 rows of C, 32 of K
//   B tile: row p, pair j  = B(2p, j), B(2p + 1, j)         32 of K, 16 columns of C
// Each is the transpose, pair by pair, of the other. So an operand is packed the same way however it lies in memory: its pairs
// are read along memory rows, and the 16 x 16 pairs are transposed if they have to be.
// Thread rule: pure functions of their arguments, but for Tiles.
#pragma once

#ifndef HV_DOUBLE

#include <cstdint>

namespace hv::bf16 {

using Bf16 = uint16_t;
inline constexpr int64_t kTile = 512;  // bf16 numbers per tile: 16 x 32

// One operand, `outer` (rows of A or columns of B) by `depth`; element (o, k) is at data[o * so + k * sk], and so or sk is 1.
// The tiles are written as [outer / 16][depth / 32], each a tile of A if `pairs_last`, else a tile of B.
void pack(const float* data, int64_t so, int64_t sk, int64_t outer, int64_t depth, bool pairs_last, Bf16* to);

// C [16 rows, 16 cols] = start + one or two rows of A tiles times one or two columns of B tiles, `steps` tiles deep. The second
// row of A lies a_next numbers after the first, the second column of B b_next. `start` (null: 0) has rows `lds` apart, which
// may be 0.
using TileKernel = void (*)(const Bf16* a, const Bf16* b, int64_t steps, int64_t a_next, int64_t b_next, const float* start,
                            int64_t lds, float* c, int64_t ldc);

class Tiles {  // while it lives, the calling thread's matrix unit is configured
 public:
  Tiles();
  ~Tiles();
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  TileKernel kernel(int64_t rows, int64_t cols) const;  // for a piece of C of at most 32 x 32
};

}  // namespace hv::bf16

#endif
