// Training-time noise. What is dropped is a function of (seed, step, index) and of the element's place alone: backward draws
// the noise again instead of keeping a mask.
#include "core/kernels/dropout.h"

#include "core/ops.h"
#include "core/ops/map.h"
#include "core/random.h"

namespace hv {
namespace {

// A stream of random numbers is named by a step of 32 bits and by an index; `most` is the largest index.
void check_noise(double p, const NoiseKey& key, uint64_t most, const char* op) {
  HV_CHECK(p >= 0 && p < 1, op, ": the probability must be in [0, 1): ", p);
  HV_CHECK(key.step < uint64_t{1} << 32, op, ": key step too large: ", key.step);
  HV_CHECK(key.index <= most, op, ": key index too large: ", key.index);
}

// x times 0 or 1/(1-p), element by element in row-major order, whatever x's layout.
Tensor noisy(const Tensor& x, double p, NoiseKey key) {
  const Tensor y = map([](Real v) { return v; }, x.shape(), x);
  apply_dropout(y.mutable_data(), y.numel(), p, key.seed, key.step, key.index);
  return y;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, NoiseKey key) {
  check_noise(p, key, (uint64_t{1} << 28) - 1, "dropout");
  HV_CHECK(x.numel() < int64_t{1} << 40, "dropout: too many elements: ", x.shape());
  // dx = g times the same noise
  return record("dropout", noisy(x, p, key), {x}, [p, key](const Tensor& g, const Edges& in) { in[0].add(noisy(g, p, key)); });
}

Tensor drop_path(const Tensor& x, double p, NoiseKey key) {
  check_noise(p, key, (uint64_t{1} << 56) - 1, "drop_path");
  HV_CHECK(x.rank() >= 1, "drop_path: needs a dimension of samples: ", x.shape());
  Shape shape = Dims::filled(x.rank(), 1);
  shape[0] = x.size(0);
  const Tensor factor = Tensor::empty(shape);
  Real* const factors = factor.mutable_data();
  Stream stream(key.seed, Purpose::drop_path, key.step, key.index);
  for (int64_t i = 0; i < factor.numel(); ++i) factors[i] = static_cast<Real>(stream.chance(p) ? 0 : 1 / (1 - p));
  return mul(x, factor);
}

}  // namespace hv
