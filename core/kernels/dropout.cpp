#include "core/kernels/dropout.h"

#include "core/parallel.h"
#include "core/random.h"

namespace hv {

void apply_dropout(Real* y, int64_t n, double p, uint64_t seed, uint64_t step, uint64_t index) {
  constexpr int64_t kBlock = 4096;  // elements per stream: part of what a seed means, so never to be changed
  const Real scale = static_cast<Real>(1 / (1 - p));
  const double limit = p * 4294967296.0;
  parallel_blocks(n, kBlock, [&](int64_t begin, int64_t end) {
    Stream stream(seed, Purpose::dropout, step, (index << 28) + static_cast<uint64_t>(begin / kBlock));
    for (int64_t i = begin; i < end; ++i) y[i] *= stream.bits() < limit ? 0 : scale;
  });
}

}  // namespace hv
