// Products of bf16 numbers with float32 sums, on the processor's matrix units (AMX) or its bf16 dot products (AVX512-BF16).
//
// Operands come as float32 and are rounded to the nearest bf16 (8 bits of mantissa) while they are packed; sums stay float32.
// Invariants
//   1. The order of every sum is given by the shape alone: the same bits on every call. (AMX and AVX512-BF16 differ in theirs.)
//   2. Nothing is allocated but one scratch a thread, kept.
// Thread rule: any thread, also inside parallel regions.
#pragma once

#include <cstdint>

#include "core/kernels/gemm.h"

namespace hv {

enum class Bf16Unit { none, avx512, amx };
// What this processor (and this system, which has to allow AMX) offers. HYDRAVIT_BF16=avx512 or none lowers it, to try the others.
Bf16Unit bf16_unit();
const char* bf16_unit_name();  // "AMX", "AVX512-BF16", "none"

#ifndef HV_DOUBLE
// C [M, N] = A B, or with `add` C += A B. Any operand with a unit stride; needs a unit.
void gemm_bf16(const Matrix& a, const Matrix& b, float* c, int64_t ldc, bool add);
#endif

}  // namespace hv
