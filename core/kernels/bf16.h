// Products of bf16 numbers with float32 sums, on the processor's matrix units (AMX) or its bf16 dot products (AVX512-BF16).
//
// Operands come as float32 and are rounded to the nearest bf16 (8 bits of mantissa) while they are packed; sums stay float32.
// Invariants
//   1. The order of every sum is given by the shape alone: the same bits on every call. (AMX and AVX512-BF16 differ in theirs.)
//   2. Each thread allocates one workspace, once, and keeps it. prepare_bf16() allocates all of them beforehand, where a lack
//      of memory can still be reported.
// Thread rule: any thread, also inside parallel regions.
#pragma once

#include <cstdint>

#include "core/kernels/gemm.h"
#include "core/kernels/precision.h"
#include "core/kernels/simd.h"

namespace hv {

enum class Bf16Unit { none, avx512, amx };
// What this processor offers and this system allows (AMX needs its permission). HYDRAVIT_BF16=avx512 or none asks for less, to
// try the other ways; a word other than these and amx is an error.
Bf16Unit bf16_unit();
const char* bf16_unit_name();  // "AMX", "AVX512-BF16", "none"
void prepare_bf16();           // outside parallel regions

// B packed for many products, by all threads: how many Reals that takes, and the packing.
int64_t packed_bf16(const Matrix& b);
void pack_bf16(const Matrix& b, Real* to);

// How the products of one head of attention are computed if bf16 is wanted; null: in float32, by simd::Kernels::product.
using SmallMultiply = void (*)(const simd::Product&);
SmallMultiply small_bf16(int64_t m, int64_t n, int64_t k);

#ifndef HV_DOUBLE
// C [M, N] = A B + plus, for operands that have a unit stride, on a processor that has a unit. In the second function `packed`
// is B, packed.
void gemm_bf16(const Matrix& a, const Matrix& b, float* c, int64_t ldc, const Plus& plus = {});
void gemm_packed_bf16(const Matrix& a, const Matrix& b, const Real* packed, float* c, int64_t ldc, const Plus& plus = {});
#endif

}  // namespace hv
