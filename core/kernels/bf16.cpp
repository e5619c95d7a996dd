// Three loops around a tile kernel: K in even pieces of at most kDepth, N in pieces of kWidth, then 32 x 32 tiles of C.
//
// Packed, both operands consist of 1 KiB tiles of 16 rows of 16 pairs of bf16 (a pair: two neighbours along K):
//   A tile: row i, pair p  = A(i, 2p), A(i, 2p + 1)         16 rows of C, 32 of K
//   B tile: row p, pair j  = B(2p, j), B(2p + 1, j)         32 of K, 16 columns of C
// Each is the transpose, pair by pair, of the other: whichever way an operand lies in memory, its pairs are read along rows and
// the 16 x 16 pairs are transposed where that is the wrong way.
#include "core/kernels/bf16.h"

#ifdef HV_DOUBLE  // numbers are double there, to check gradients: no bf16
namespace hv {
Bf16Unit bf16_unit() { return Bf16Unit::none; }
const char* bf16_unit_name() { return "none"; }
void prepare_bf16() {}
int64_t packed_bf16(const Matrix&) { return 0; }
void pack_bf16(const Matrix&, Real*) {}
SmallMultiply small_bf16(int64_t, int64_t, int64_t) { return nullptr; }
}  // namespace hv
#else

// g++ 12 takes the deliberately undefined operands of its own header for mistakes (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/parallel.h"

namespace hv {
namespace {

using Bf16 = uint16_t;
constexpr int64_t kTile = 512;  // bf16 numbers a tile: 16 x 32
constexpr int64_t kDepth = 640, kWidth = 256, kHeight = 1280;

#define HV_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define HV_AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))

// --- packing ----------------------------------------------------------------------------------------------------------------

struct Pairs {  // 16 rows of 16 pairs: a tile on its way
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

HV_BF16 inline __m512i rounded(__m512 low, __m512 high) {  // 32 floats -> 32 bf16
  const __m512bh packed = _mm512_cvtne2ps_pbh(high, low);
  __m512i bits;
  std::memcpy(&bits, &packed, sizeof bits);
  return bits;
}

// A memory row runs along K: pairs lie side by side. 16 rows of up to 32 numbers.
HV_BF16 inline void rows_along_k(const float* from, int64_t ld, int64_t rows, int64_t depth, Pairs& out) {
  const __mmask16 low = depth >= 16 ? 0xFFFF : static_cast<__mmask16>((1U << depth) - 1);
  const __mmask16 high = depth >= 32 ? 0xFFFF : depth > 16 ? static_cast<__mmask16>((1U << (depth - 16)) - 1) : 0;
  for (int64_t i = 0; i < 16; ++i) {
    out.row[i] = i < rows ? rounded(_mm512_maskz_loadu_ps(low, from + i * ld), _mm512_maskz_loadu_ps(high, from + i * ld + 16))
                          : _mm512_setzero_si512();
  }
}

// A memory row runs across K: a pair is two neighbouring rows. 32 rows of up to 16 numbers.
HV_BF16 inline void rows_across_k(const float* from, int64_t ld, int64_t depth, int64_t cols, Pairs& out) {
  alignas(64) static constexpr uint16_t kWeave[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i weave = _mm512_load_si512(kWeave);
  const __mmask16 mask = cols >= 16 ? 0xFFFF : static_cast<__mmask16>((1U << cols) - 1);
  for (int64_t p = 0; p < 16; ++p) {
    const __m512 first = 2 * p < depth ? _mm512_maskz_loadu_ps(mask, from + 2 * p * ld) : _mm512_setzero_ps();
    const __m512 second = 2 * p + 1 < depth ? _mm512_maskz_loadu_ps(mask, from + (2 * p + 1) * ld) : _mm512_setzero_ps();
    out.row[p] = _mm512_permutexvar_epi16(weave, rounded(first, second));
  }
}

// One operand, `outer` (rows of A or columns of B) by `depth`, element (o, k) at data[o * so + k * sk]; tiles [outer /
// 16][depth / 32].
// `pairs_last`: A's kind of tile, else B's.
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

// --- C tiles ----------------------------------------------------------------------------------------------------------------

// C [16 rows, 16 cols] = start + one or two rows of A tiles times one or two columns of B tiles, `steps` tiles deep. The second
// row of A lies a_next numbers after the first, the second column of B b_next. `start` (null: 0) has rows `lds` apart, which
// may be 0.
using TileKernel = void (*)(const Bf16* a, const Bf16* b, int64_t steps, int64_t a_next, int64_t b_next, const float* start,
                            int64_t lds, float* c, int64_t ldc);

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
class Tiles {  // the matrix unit, while it lives
 public:
  Tiles() {
    if (bf16_unit() == Bf16Unit::amx) configure();
  }
  ~Tiles() {
    if (bf16_unit() == Bf16Unit::amx) release();
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  TileKernel kernel(int64_t rows, int64_t cols) const {
    return (bf16_unit() == Bf16Unit::amx ? kAmx : kAvx512)[rows > 16][cols > 16];
  }

 private:
  HV_AMX static void configure() {
    static constexpr TileConfig config;
    _tile_loadconfig(&config);
  }
  HV_AMX static void release() { _tile_release(); }
};

// C [height, width] = packed A times packed B, each `steps` tiles deep, + plus.
void packed_product(const Tiles& tiles, const Bf16* a, int64_t height, const Bf16* b, int64_t width, int64_t steps,
                    const Plus& plus, float* c, int64_t ldc) {
  alignas(64) float start[32 * 32], end[32 * 32];
  for (int64_t i = 0; i < height; i += 32) {
    for (int64_t j = 0; j < width; j += 32) {
      const int64_t rows = std::min<int64_t>(32, height - i), cols = std::min<int64_t>(32, width - j);
      const bool whole = rows % 16 == 0 && cols % 16 == 0;
      const float* bias = plus.bias ? plus.bias + j : nullptr;
      const float* others = plus.rows ? plus.rows + i * plus.ld + j : nullptr;
      const float* from = others;
      int64_t lds = plus.ld;
      if (whole && bias && !others) {
        from = bias;
        lds = 0;  // the same row sixteen times
      } else if (bias || (others && !whole)) {
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t k = 0; k < cols; ++k) start[32 * r + k] = (bias ? bias[k] : 0) + (others ? others[r * plus.ld + k] : 0);
        }
        from = start;
        lds = 32;
      }
      float* to = c + i * ldc + j;
      tiles.kernel(rows, cols)(a + i / 16 * steps * kTile, b + j / 16 * steps * kTile, steps, steps * kTile, steps * kTile,
                               from, lds, whole ? to : end, whole ? ldc : 32);
      for (int64_t r = 0; !whole && r < rows; ++r) std::copy_n(end + 32 * r, cols, to + r * ldc);
    }
  }
}

// Where piece i of the inner dimension begins: even pieces of whole tiles.
struct Pieces {
  int64_t depth, count, size;
  explicit Pieces(int64_t depth_)
      : depth(depth_), count((depth + kDepth - 1) / kDepth), size((depth + 32 * count - 1) / (32 * count) * 32) {}
  int64_t begin(int64_t i) const { return std::min(depth, i * size); }
  int64_t steps(int64_t i) const { return (begin(i + 1) - begin(i) + 31) / 32; }
};

Bf16Unit detect() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
    return Bf16Unit::none;
  const char* wish = std::getenv("HYDRAVIT_BF16");
  if (wish && std::strcmp(wish, "none") == 0) return Bf16Unit::none;
  if (wish && std::strcmp(wish, "avx512") == 0) return Bf16Unit::avx512;
  // CPUID leaf 7: bits 22 (AMX-BF16) and 24 (AMX-TILE) of edx. A process asks Linux for the tiles' 8 KiB of state: arch_prctl
  // (ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18).
  unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  const bool amx = (edx >> 22 & 1) && (edx >> 24 & 1);
  return amx && ::syscall(SYS_arch_prctl, 0x1023, 18) == 0 ? Bf16Unit::amx : Bf16Unit::avx512;
}

struct Scratch {  // packed A and B of one thread, kept
  std::unique_ptr<Bf16, decltype(&std::free)> memory{nullptr, &std::free};
  Bf16* a() { return memory.get(); }
  Bf16* b() { return memory.get() + kDepth * kHeight; }
  bool ready() {
    if (!memory)
      memory.reset(static_cast<Bf16*>(std::aligned_alloc(64, sizeof(Bf16) * static_cast<size_t>(kDepth * (kHeight + kWidth)))));
    return memory != nullptr;
  }
};
Scratch& scratch() {
  static thread_local Scratch mine;
  if (!mine.ready()) throw std::bad_alloc();
  return mine;
}

// C = A B + plus; B as a matrix, or packed.
void multiply(const Matrix& a, const Matrix& b, const Bf16* packed, float* c, int64_t ldc, const Plus& plus) {
  Scratch& mine = scratch();
  const Tiles tiles;
  const int64_t m = a.rows, n = b.cols, padded = (n + 15) / 16 * 16;
  const Pieces pieces(a.cols);
  for (int64_t top = 0; top < m; top += kHeight) {
    const int64_t height = std::min(kHeight, m - top);
    float* to = c + top * ldc;
    for (int64_t p = 0; p < pieces.count; ++p) {
      const int64_t k = pieces.begin(p), deep = pieces.begin(p + 1) - k, steps = pieces.steps(p);
      pack(a.data + top * a.row + k * a.col, a.row, a.col, height, deep, true, mine.a());
      Plus now{nullptr, to, ldc};  // the pieces before
      if (p == 0) now = {plus.bias, plus.rows ? plus.rows + top * plus.ld : nullptr, plus.ld};
      if (packed) {
        packed_product(tiles, mine.a(), height, packed + k * padded, n, steps, now, to, ldc);
        continue;
      }
      for (int64_t left = 0; left < n; left += kWidth) {
        const int64_t width = std::min(kWidth, n - left);
        pack(b.data + k * b.row + left * b.col, b.col, b.row, width, deep, false, mine.b());
        const Plus part{now.bias ? now.bias + left : nullptr, now.rows ? now.rows + left : nullptr, now.ld};
        packed_product(tiles, mine.a(), height, mine.b(), width, steps, part, to + left, ldc);
      }
    }
  }
}

}  // namespace

Bf16Unit bf16_unit() {
  static const Bf16Unit unit = detect();
  return unit;
}

const char* bf16_unit_name() {
  constexpr const char* names[] = {"none", "AVX512-BF16", "AMX"};
  return names[static_cast<int>(bf16_unit())];
}

void prepare_bf16() {
  std::atomic<bool> enough = true;
  on_every_thread([&] {
    try {
      scratch();
    } catch (const std::bad_alloc&) {
      enough = false;
    }
  });
  if (!enough) throw std::bad_alloc();
}

int64_t packed_bf16(const Matrix& b) { return (b.rows + 31) / 32 * 32 * ((b.cols + 15) / 16 * 16) / 2; }

void pack_bf16(const Matrix& b, Real* to) {
  const Pieces pieces(b.rows);
  const int64_t padded = (b.cols + 15) / 16 * 16;
  auto* packed = reinterpret_cast<Bf16*>(to);
  parallel_blocks(padded, 64, [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < pieces.count; ++p) {
      const int64_t k = pieces.begin(p), deep = pieces.begin(p + 1) - k;
      pack(b.data + k * b.row + begin * b.col, b.col, b.row, std::min(end, b.cols) - begin, deep, false,
           packed + k * padded + begin * pieces.steps(p) * 32);
    }
  });
}

void gemm_bf16(const Matrix& a, const Matrix& b, float* c, int64_t ldc, const Plus& plus) {
  multiply(a, b, nullptr, c, ldc, plus);
}

void gemm_packed_bf16(const Matrix& a, const Matrix& b, const Real* packed, float* c, int64_t ldc, const Plus& plus) {
  multiply(a, b, reinterpret_cast<const Bf16*>(packed), c, ldc, plus);
}

SmallMultiply small_bf16(int64_t m, int64_t n, int64_t k) {
  if (precision() != Precision::bf16 || std::min({m, n, k}) < 16) return nullptr;
  return [](const simd::Product& p) {
    multiply({p.a, p.rows, p.inner, p.row_a, p.col_a}, {p.b, p.inner, p.cols, p.row_b, p.col_b}, nullptr, p.c, p.ldc, p.plus);
  };
}

}  // namespace hv

#endif
