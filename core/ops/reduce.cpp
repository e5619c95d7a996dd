// Reductions: sum, mean, max and argmax over any dimensions of any layout.
#include <algorithm>

#include "core/ops.h"
#include "core/ops/map.h"

namespace hv {
namespace {

// How `dims` (empty: all) splits a shape.
struct Split {
  Shape kept, reduced;  // the sizes of the two groups
  Strides kept_strides, reduced_strides;
  Shape with_ones;  // the shape with reduced sizes replaced by 1
  int64_t count() const { return numel(reduced); }

  Split(const Tensor& x, const Dims& dims, const char* op) : with_ones(x.shape()) {
    std::array<bool, kMaxRank> gone{};
    if (dims.empty()) gone.fill(true);
    for (int64_t d : dims) {
      bool& flag = gone[static_cast<size_t>(wrap_dim(d, x.rank(), op))];
      HV_CHECK(!flag, op, ": dimension named twice: ", dims);
      flag = true;
    }
    for (int i = 0; i < x.rank(); ++i) {
      const bool g = gone[static_cast<size_t>(i)];
      (g ? reduced : kept).push_back(x.size(i));
      (g ? reduced_strides : kept_strides).push_back(x.strides()[i]);
      if (g) with_ones[i] = 1;
    }
  }
};

template <class Fold>
Tensor reduce(const Tensor& x, const Split& split, bool keep, double divisor = 1) {
  Tensor y = Tensor::empty(keep ? split.with_ones : split.kept);
  reduce_elements<Fold>(split.kept, split.kept_strides, split.reduced, split.reduced_strides, x.data(), y.mutable_data(),
                        divisor);
  return y;
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& dims, bool keep) {
  const Split split(x, dims, "sum");
  Tensor y = reduce<SumFold>(x, split, keep);
  // dx = g, repeated along the reduced dimensions
  return record("sum", y, {x}, [wide = split.with_ones](const Tensor& g, const Edges& in) {
    map_into(
        in[0].open(), [](Real d) { return d; }, g.view(wide));
  });
}

Tensor mean(const Tensor& x, const Dims& dims, bool keep) {
  const Split split(x, dims, "mean");
  const double n = static_cast<double>(split.count());
  Tensor y = reduce<SumFold>(x, split, keep, n);
  // dx = g / n, repeated along the reduced dimensions
  return record("mean", y, {x}, [wide = split.with_ones, n](const Tensor& g, const Edges& in) {
    map_into(
        in[0].open(), [n](Real d) { return static_cast<Real>(d / n); }, g.view(wide));
  });
}

Tensor max(const Tensor& x, const Dims& dims, bool keep) {
  const Split split(x, dims, "max");
  HV_CHECK(split.count() > 0, "max: nothing to choose from: ", x.shape(), " over ", dims);
  Tensor y = reduce<MaxFold>(x, split, keep);
  if (!wants_grad({x})) return y;
  // dx = g / ties where x is the maximum, else 0
  return record("max", y, {x}, [wide = split.with_ones, sx = Saved(x), sy = Saved(y)](const Tensor& g, const Edges& in) {
    const Tensor& from = sx.get();
    const Tensor top = sy.get().view(wide);
    const Tensor ties = sum_to(map([](Real v, Real m) { return static_cast<Real>(v == m); }, from.shape(), from, top), wide);
    map_into(
        in[0].open(), [](Real d, Real v, Real m, Real n) { return v == m ? d / n : 0; }, g.view(wide), from, top, ties);
  });
}

std::vector<int64_t> argmax(const Tensor& x, int64_t dim) {
  const int d = wrap_dim(dim, x.rank(), "argmax");
  HV_CHECK(x.size(d) > 0, "argmax: nothing to choose from: ", x.shape(), " over dimension ", d);
  Shape rest = x.shape();
  Strides strides = x.strides();
  rest.erase(d);
  strides.erase(d);
  std::vector<int64_t> best(static_cast<size_t>(numel(rest)));
  argmax_rows(rest, strides, x.size(d), x.strides()[d], x.data(), best.data());
  return best;
}

}  // namespace hv
