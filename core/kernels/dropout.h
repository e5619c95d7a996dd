// Dropout's noise. What is dropped is a function of (seed, step, index) and of an element's place alone, so it can be drawn
// again instead of kept, and any number of threads drops the same elements.
// Thread rule: opens a parallel region.
#pragma once

#include <cstdint>

#include "core/storage.h"

namespace hv {

// y[i] is multiplied by 0 with probability p, else by 1 / (1 - p). Multiplying keeps NaN visible.
void apply_dropout(Real* y, int64_t n, double p, uint64_t seed, uint64_t step, uint64_t index);

}  // namespace hv
