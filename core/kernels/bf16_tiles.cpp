#include "core/kernels/bf16_tiles.h"

#ifndef HV_DOUBLE

#include <cstring>

#include "core/kernels/bf16.h"
#include "core/kernels/bf16_intrinsics.h"

namespace hv::bf16 {
namespace {

template <int kRows, int kCols>
HV_AMX void tile_amx(const Bf16* a, const Bf16* b, int64_t steps, int64_t a_next, int64_t b_next, const float* start,
                     int64_t lds, float* c, int64_t ldc) {
  constexpr bool kDown = kRows == 2, kRight = kCols == 2;
  if (start) {
    const auto stride = static_cast<size_t>(4 * lds);
    _tile_loadd(0, start, stride);
    if constexpr (kRight) _tile_loadd(1, start + 16, stride);
    if constexpr (kDown) _tile_loadd(2, start + 16 * lds, stride);
    if constexpr (kDown && kRight) _tile_loadd(3, start + 16 * lds + 16, stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t s = 0; s < steps; ++s, a += kTile, b += kTile) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    if constexpr (kRight) _tile_loadd(7, b + b_next, 64);
    if constexpr (kDown) _tile_loadd(5, a + a_next, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kRight) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kDown) _tile_dpbf16ps(2, 5, 6);
    if constexpr (kDown && kRight) _tile_dpbf16ps(3, 5, 7);
  }
  const auto stride = static_cast<size_t>(4 * ldc);
  _tile_stored(0, c, stride);
  if constexpr (kRight) _tile_stored(1, c + 16, stride);
  if constexpr (kDown) _tile_stored(2, c + 16 * ldc, stride);
  if constexpr (kDown && kRight) _tile_stored(3, c + 16 * ldc + 16, stride);
}

template <int kRows, int kCols>
HV_BF16 void tile_avx512(const Bf16* a, const Bf16* b, int64_t steps, int64_t a_next, int64_t b_next, const float* start,
                         int64_t lds, float* c, int64_t ldc) {
  for (int64_t row = 0; row < 16 * kRows; row += 8) {  // 8 x 2 sums stay in registers
    const Bf16* a_row = a + (row / 16) * a_next + (row % 16) * 32;
    __m512 sums[8][kCols];
    for (int i = 0; i < 8; ++i) {
      for (int j = 0; j < kCols; ++j)
        sums[i][j] = start ? _mm512_loadu_ps(start + (row + i) * lds + 16 * j) : _mm512_setzero_ps();
    }
    for (int64_t s = 0; s < steps; ++s) {
      for (int64_t p = 0; p < 16; ++p) {
        __m512bh cols[kCols];
        for (int j = 0; j < kCols; ++j) std::memcpy(&cols[j], b + j * b_next + s * kTile + 32 * p, 64);
        for (int i = 0; i < 8; ++i) {
          int32_t pair;
          std::memcpy(&pair, a_row + s * kTile + 32 * i + 2 * p, 4);
          const __m512i all = _mm512_set1_epi32(pair);
          __m512bh rows;
          std::memcpy(&rows, &all, 64);
          for (int j = 0; j < kCols; ++j) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], rows, cols[j]);
        }
      }
    }
    for (int i = 0; i < 8; ++i) {
      for (int j = 0; j < kCols; ++j) _mm512_storeu_ps(c + (row + i) * ldc + 16 * j, sums[i][j]);
    }
  }
}

// By rows and columns of tiles, 1 or 2 each.
constexpr TileKernel kAmx[2][2] = {{tile_amx<1, 1>, tile_amx<1, 2>}, {tile_amx<2, 1>, tile_amx<2, 2>}};
constexpr TileKernel kAvx512[2][2] = {{tile_avx512<1, 1>, tile_avx512<1, 2>}, {tile_avx512<2, 1>, tile_avx512<2, 2>}};

struct TileConfig {  // 64 bytes that tell the processor that all eight tiles are 16 rows of 64 bytes
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

HV_AMX void configure() {
  static constexpr TileConfig config;
  _tile_loadconfig(&config);
}
HV_AMX void release() { _tile_release(); }

}  // namespace

Tiles::Tiles() {
  if (bf16_unit() == Bf16Unit::amx) configure();
}
Tiles::~Tiles() {
  if (bf16_unit() == Bf16Unit::amx) release();
}
TileKernel Tiles::kernel(int64_t rows, int64_t cols) const {
  return (bf16_unit() == Bf16Unit::amx ? kAmx : kAvx512)[rows > 16][cols > 16];
}

}  // namespace hv::bf16

#endif
