// Training-time noise. What is dropped is a function of (seed, step, index) and the element's place alone, so backward draws it
// again instead of keeping a mask, and any number of threads drops the same elements.
#include "core/ops.h"
#include "core/ops/map.h"
#include "core/random.h"

namespace hv {
namespace {

void check_probability(double p, const char* op) { HV_CHECK(p >= 0 && p < 1, op, ": the probability must be in [0, 1): ", p); }

// x times 0 or 1/(1-p), element by element in row-major order. Multiplying keeps NaN visible.
Tensor noisy(const Tensor& x, double p, NoiseKey key) {
  Tensor y = map([](Real v) { return v; }, x.shape(), x);
  const Real scale = static_cast<Real>(1 / (1 - p));
  Real* const to = y.mutable_data();
  constexpr int64_t kBlock = 4096;  // elements a stream: part of what the key means, so never to be changed
  parallel_blocks(y.numel(), kBlock, [&](int64_t begin, int64_t end) {
    Stream stream(key.seed, Purpose::dropout, key.step, (key.index << 28) + static_cast<uint64_t>(begin / kBlock));
    const double limit = p * 4294967296.0;
    for (int64_t i = begin; i < end; ++i) to[i] *= stream.bits() < limit ? 0 : scale;
  });
  return y;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, NoiseKey key) {
  check_probability(p, "dropout");
  HV_CHECK(key.index < (uint64_t{1} << 28), "dropout: key index too large: ", key.index);
  // dx = g times the same noise
  return record("dropout", noisy(x, p, key), {x}, [p, key](const Tensor& g, const Edges& in) { in[0].add(noisy(g, p, key)); });
}

Tensor drop_path(const Tensor& x, double p, NoiseKey key) {
  check_probability(p, "drop_path");
  HV_CHECK(x.rank() >= 1, "drop_path: needs a dimension of samples: ", x.shape());
  Shape shape = Dims::filled(x.rank(), 1);
  shape[0] = x.size(0);
  const Tensor factor = Tensor::empty(shape);
  Stream stream(key.seed, Purpose::drop_path, key.step, key.index);
  Real* const to = factor.mutable_data();
  for (int64_t i = 0; i < factor.numel(); ++i) to[i] = static_cast<Real>(stream.chance(p) ? 0 : 1 / (1 - p));
  return mul(x, factor);
}

}  // namespace hv
