// Three loops around a tile kernel (core/kernels/bf16_tiles.h): K in even pieces of at most kDepth, N in pieces of kWidth, then
// 32 x 32 tiles of C.
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

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "core/environment.h"
#include "core/kernels/bf16_tiles.h"
#include "core/kernels/precision.h"
#include "core/parallel.h"

namespace hv {
namespace {

using namespace bf16;
constexpr int64_t kDepth = 640, kWidth = 256, kHeight = 1280;

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

// How the inner dimension is cut: into even pieces of whole tiles.
struct Pieces {
  int64_t depth, count, size;
  explicit Pieces(int64_t depth_)
      : depth(depth_), count((depth + kDepth - 1) / kDepth), size((depth + 32 * count - 1) / (32 * count) * 32) {}
  int64_t begin(int64_t i) const { return std::min(depth, i * size); }
  int64_t steps(int64_t i) const { return (begin(i + 1) - begin(i) + 31) / 32; }
};

Bf16Unit detect() {
  const int wish = environment_word("HYDRAVIT_BF16", {"none", "avx512", "amx"});
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
    return Bf16Unit::none;
  if (wish == 0) return Bf16Unit::none;
  if (wish == 1) return Bf16Unit::avx512;
  // CPUID leaf 7: bits 22 (AMX-BF16) and 24 (AMX-TILE) of edx. A process asks Linux for the tiles' 8 KiB of state: arch_prctl
  // (ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18).
  unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  const bool amx = (edx >> 22 & 1) && (edx >> 24 & 1);
  return amx && ::syscall(SYS_arch_prctl, 0x1023, 18) == 0 ? Bf16Unit::amx : Bf16Unit::avx512;
}

struct Scratch {  // one thread's memory for packed A and B, kept between products
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
      Plus now{nullptr, to, ldc};  // the sum over the pieces before this one
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
  if (precision() != Precision::bf16 || std::min({m, n, k}) < kBf16Least) return nullptr;
  return [](const simd::Product& p) {
    multiply({p.a, p.rows, p.inner, p.row_a, p.col_a}, {p.b, p.inner, p.cols, p.row_b, p.col_b}, nullptr, p.c, p.ldc, p.plus);
  };
}

}  // namespace hv

#endif
