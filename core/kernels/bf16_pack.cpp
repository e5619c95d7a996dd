#ifndef HV_DOUBLE

#include <algorithm>
#include <cstring>

#include "core/kernels/bf16_intrinsics.h"
#include "core/kernels/bf16_tiles.h"

namespace hv::bf16 {
namespace {

struct Pairs {  // 16 rows of 16 pairs: a tile in registers
  __m512i row[16];
};

// 16 x 16 32-bit numbers, in place: first within groups of four rows, then the 128-bit lanes among the groups.
HV_BF16 inline void transpose16(Pairs& tile) {
  __m512i *r = tile.row, t[16];
  for (size_t i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (size_t i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // Now r[4 q + j] holds, in 128-bit lane l, column 4 l + j of rows 4 q .. 4 q + 3.
  for (size_t j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
    const __m512i c = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xDD), d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xDD);
    t[j] = _mm512_shuffle_i32x4(a, b, 0x88);
    t[8 + j] = _mm512_shuffle_i32x4(a, b, 0xDD);
    t[4 + j] = _mm512_shuffle_i32x4(c, d, 0x88);
    t[12 + j] = _mm512_shuffle_i32x4(c, d, 0xDD);
  }
  std::copy_n(t, 16, r);
}

inline __mmask16 first_lanes(int64_t n) {  // of 16; none if n is negative
  return static_cast<__mmask16>((1U << std::clamp<int64_t>(n, 0, 16)) - 1);
}

HV_BF16 inline __m512i rounded(__m512 low, __m512 high) {  // 32 floats -> 32 bf16
  const __m512bh packed = _mm512_cvtne2ps_pbh(high, low);
  __m512i bits;
  std::memcpy(&bits, &packed, sizeof bits);
  return bits;
}

// A memory row runs along K, so that pairs lie side by side. 16 rows of up to 32 numbers.
HV_BF16 inline void rows_along_k(const float* from, int64_t ld, int64_t rows, int64_t depth, Pairs& out) {
  const __mmask16 low = first_lanes(depth), high = first_lanes(depth - 16);
  for (int64_t i = 0; i < 16; ++i) {
    out.row[i] = i < rows ? rounded(_mm512_maskz_loadu_ps(low, from + i * ld), _mm512_maskz_loadu_ps(high, from + i * ld + 16))
                          : _mm512_setzero_si512();
  }
}

// A memory row runs across K, so that a pair is spread over two neighbouring rows. 32 rows of up to 16 numbers.
HV_BF16 inline void rows_across_k(const float* from, int64_t ld, int64_t depth, int64_t cols, Pairs& out) {
  alignas(64) static constexpr uint16_t kWeave[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i weave = _mm512_load_si512(kWeave);
  const __mmask16 mask = first_lanes(cols);
  for (int64_t p = 0; p < 16; ++p) {
    const __m512 first = 2 * p < depth ? _mm512_maskz_loadu_ps(mask, from + 2 * p * ld) : _mm512_setzero_ps();
    const __m512 second = 2 * p + 1 < depth ? _mm512_maskz_loadu_ps(mask, from + (2 * p + 1) * ld) : _mm512_setzero_ps();
    out.row[p] = _mm512_permutexvar_epi16(weave, rounded(first, second));
  }
}

}  // namespace

HV_BF16 void pack(const float* data, int64_t so, int64_t sk, int64_t outer, int64_t depth, bool pairs_last, Bf16* to) {
  const bool along = sk == 1;
  for (int64_t o = 0; o < outer; o += 16) {
    for (int64_t k = 0; k < depth; k += 32, to += kTile) {
      const float* from = data + o * so + k * sk;
      Pairs tile;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by either branch
      if (along) {
        rows_along_k(from, so, outer - o, depth - k, tile);
      } else {
        rows_across_k(from, sk, depth - k, outer - o, tile);
      }
      if (along != pairs_last) transpose16(tile);
      for (size_t i = 0; i < 16; ++i) _mm512_store_si512(to + 32 * i, tile.row[i]);
    }
  }
}

}  // namespace hv::bf16

#endif
