// Vectors of Real for the level this file is compiled at, through the compilers' vector types: + - * / and comparisons work on
// whole vectors. Everything lives in hv::simd::<level>, so that the three builds of one source never share a symbol.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <utility>

#include "core/kernels/simd.h"

namespace hv::simd {
namespace HV_LEVEL {

#define HV_DECLARE(name, parameters) void name parameters;
HV_SIMD_KERNELS(HV_DECLARE)
#undef HV_DECLARE

#if defined(__AVX512F__)
inline constexpr int64_t kBytes = 64;
inline constexpr int kRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int64_t kBytes = 32;
inline constexpr int kRegisters = 16;
#else
inline constexpr int64_t kBytes = 16;
inline constexpr int kRegisters = 16;
#endif
inline constexpr int64_t kWidth = kBytes / static_cast<int64_t>(sizeof(Real));
constexpr int64_t whole_vectors(int64_t n) { return (n + kWidth - 1) / kWidth * kWidth; }

typedef Real Vec __attribute__((vector_size(kBytes)));
typedef Real LooseVec __attribute__((vector_size(kBytes), aligned(sizeof(Real)), may_alias));  // any address

static inline Vec load(const Real* p) { return *reinterpret_cast<const LooseVec*>(p); }
static inline void store(Real* p, Vec v) { *reinterpret_cast<LooseVec*>(p) = v; }
static inline Vec splat(Real x) { return x - Vec{}; }  // x - 0 keeps the sign of zero and NaN

// The two ways to load and store up to kWidth elements: all of them, or the first n < kWidth. Memory behind those n is not
// touched: the processor's masked loads and stores leave it alone.
struct Whole {
  static Vec load(const Real* p) { return HV_LEVEL::load(p); }
  static void store(Real* p, Vec v) { HV_LEVEL::store(p, v); }
  static Vec keep(Vec v) { return v; }
};
#if defined(__AVX512F__) && !defined(HV_DOUBLE)
struct Part {
  __mmask16 mask;
  explicit Part(int64_t n) : mask(static_cast<__mmask16>((1U << n) - 1)) {}
  Vec load(const Real* p) const { return _mm512_maskz_loadu_ps(mask, p); }  // the other lanes are 0
  void store(Real* p, Vec v) const { _mm512_mask_storeu_ps(p, mask, v); }
  Vec keep(Vec v) const { return _mm512_maskz_mov_ps(mask, v); }
};
#elif defined(__AVX2__) && !defined(HV_DOUBLE)
struct Part {
  __m256i mask;
  explicit Part(int64_t n)
      : mask(_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))) {}
  Vec load(const Real* p) const { return _mm256_maskload_ps(p, mask); }
  void store(Real* p, Vec v) const { _mm256_maskstore_ps(p, mask, v); }
  Vec keep(Vec v) const { return _mm256_and_ps(v, _mm256_castsi256_ps(mask)); }
};
#else
struct Part {
  int64_t n;
  explicit Part(int64_t count) : n(count) {}
  Vec load(const Real* p) const {
    Vec v{};
    for (int64_t i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }
  void store(Real* p, Vec v) const {
    for (int64_t i = 0; i < n; ++i) p[i] = v[i];
  }
  Vec keep(Vec v) const {
    for (int64_t i = n; i < kWidth; ++i) v[i] = 0;
    return v;
  }
};
#endif

// body(i, lanes) for [0, n): whole vectors, then one part. `lanes` loads and stores at p + i.
template <class Body>
static inline void for_vectors(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) body(i, Whole{});
  if (i < n) body(i, Part(n - i));
}

using Lanes = std::make_integer_sequence<int, static_cast<int>(kWidth)>;

// The lanes of a vector reduced to one number in a fixed order: the upper half is joined with the lower half, and so on.
template <int kHalf, class Join, int... I>
static inline Real join_lanes(Vec v, const Join& join, std::integer_sequence<int, I...> lanes) {
  v = join(v, __builtin_shufflevector(v, v, (I ^ kHalf)...));
  if constexpr (kHalf > 1) return join_lanes<kHalf / 2>(v, join, lanes);
  return v[0];
}
static inline Real sum_lanes(Vec v) {
  return join_lanes<kWidth / 2>(
      v, [](Vec a, Vec b) { return a + b; }, Lanes{});
}

// Transposes kWidth x kWidth numbers in place: blocks of half the size are exchanged, then blocks of a quarter, down to single
// lanes.
template <int kBlock, int... I>
static inline void transpose_square(Vec* row, std::integer_sequence<int, I...> lanes) {
  constexpr int kWide = static_cast<int>(kWidth);
  for (int i = 0; i < kWide; ++i) {
    if (i & kBlock) continue;
    const Vec a = row[i], b = row[i + kBlock];
    row[i] = __builtin_shufflevector(a, b, (I & kBlock ? kWide + I - kBlock : I)...);
    row[i + kBlock] = __builtin_shufflevector(a, b, (I & kBlock ? kWide + I : I + kBlock)...);
  }
  if constexpr (kBlock > 1) transpose_square<kBlock / 2>(row, lanes);
}

#ifdef HV_DOUBLE
// The double build checks gradients: the C library's functions, lane by lane.
static inline Vec exp(Vec x) {
  for (int64_t i = 0; i < kWidth; ++i) x[i] = __builtin_exp(x[i]);
  return x;
}
static inline Vec sqrt(Vec x) {
  for (int64_t i = 0; i < kWidth; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
}
// Phi(x) = erfc(-x / sqrt 2) / 2 and phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
static inline void normal_cdf_pdf(Vec x, Vec& cdf, Vec& pdf) {
  for (int64_t i = 0; i < kWidth; ++i) {
    cdf[i] = 0.5 * __builtin_erfc(x[i] * -0.70710678118654752440);
    pdf[i] = 0.39894228040143267794 * __builtin_exp(-0.5 * x[i] * x[i]);
  }
}
#else
// Unsigned, so that very large arguments may wrap around; their result is not used.
typedef uint32_t BitVec __attribute__((vector_size(kBytes)));

// e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln(2) / 2; e^r by its Taylor series to r^7 (truncation 5e-9, in all about 1
// ULP). Below -87.3 the result is 0 (denormals are flushed anyway). Above 88.37 it is infinity: 2^128 has no exponent, so
// results for x between 88.37 and 88.72, which are still floats, are given up. NaN stays NaN.
static inline Vec exp(Vec x) {
  const Vec shifter = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer and leaves that in the low bits
  const Vec t = x * 1.44269504f + shifter;
  const Vec n = t - shifter;
  const Vec r = (x - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts
  Vec p = splat(1.0f / 5040.0f);
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const BitVec exponent = (reinterpret_cast<BitVec>(t) << 23) + 0x3f800000u;
  Vec y = p * reinterpret_cast<Vec>(exponent);
  y = x < splat(-87.3f) ? Vec{} : y;
  return x > splat(88.37f) ? splat(__builtin_inff()) : y;
}

static inline Vec sqrt(Vec x) {
  for (int64_t i = 0; i < kWidth; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}

// Phi(x) and phi(x) together, because both need e^(-x^2/2). With z = |x| / sqrt 2 and t = 1 / (1 + 0.33 z), 1 - Phi(|x|) is
// e^(-z^2) t p(t) / 2. The polynomial p of degree 7 has the smallest relative error for z up to 9.4, by Remez' method: 8e-8. So
// the tail, where Phi is far smaller than its distance from any sum with 1, keeps its digits.
static inline void normal_cdf_pdf(Vec x, Vec& cdf, Vec& pdf) {
  const Vec e = exp(-0.5f * x * x);
  const Vec z = (x < Vec{} ? -x : x) * 0.707106781f;  // |x| / sqrt 2
  const Vec t = 1.0f / (1.0f + 0.33f * z);
  Vec p = splat(-0.135928737f);
  p = p * t + 0.462687946f;
  p = p * t - 0.355438385f;
  p = p * t + 0.412541021f;
  p = p * t + 0.0450110018f;
  p = p * t + 0.201923698f;
  p = p * t + 0.182837266f;
  p = p * t + 0.186366108f;
  const Vec upper = 0.5f * p * t * e;  // 1 - Phi(|x|)
  cdf = x < Vec{} ? upper : 1.0f - upper;
  pdf = 0.398942280f * e;
}
#endif

}  // namespace HV_LEVEL
}  // namespace hv::simd
