// How operands enter a matrix product.
//
// fp32: as they are. bf16: rounded to 8 bits of mantissa, on the processor's matrix units (core/kernels/bf16.h), with float32
// sums; products with a dimension under kBf16Least (the classifier, for example) and everything else stay as they are.
// Thread rule: set between steps, read on any thread.
#pragma once

#include <cstdint>

namespace hv {

enum class Precision { fp32, bf16 };
void set_precision(Precision precision);  // an error if this processor has no bf16 units
Precision precision();

inline constexpr int64_t kBf16Least = 16;  // rows and columns of one of the processor's tiles

}  // namespace hv
