#include "nn/layers.h"

#include "nn/part.h"

namespace hv::nn {
namespace {

// The width of an input. `dim` of the parameter is the full one; only an elastic dimension takes less.
int64_t width_of(const char* op, const Shape& input, const Parameter& p, int dim) {
  const int64_t full = p.value.size(dim);
  const bool narrower = p.elastic[static_cast<size_t>(dim)];
  HV_CHECK(input.size() > 0 && (input[-1] == full || (narrower && input[-1] < full)), op, ": input ", input, " for a ", p.name,
           " of ", p.value.shape(), narrower ? "" : ", which is not elastic");
  return input[-1];
}

bool follows(Elastic elastic) { return elastic != Elastic::none; }

}  // namespace

Linear::Linear(int64_t in, int64_t out, Init& init, Elastic elastic) {
  const bool rows = elastic == Elastic::both;
  weight_ = add_parameter("weight", init.weight({out, in}, in), {rows, follows(elastic)});
  bias_ = add_parameter("bias", init.bias(out, in), {rows}, false);
}

Lazy Linear::operator()(const Lazy& x) const {
  const int64_t p = width_of("linear", x.shape(), weight_, 1), full = weight_.value.size(1);
  const Tensor weight = live(weight_, p, full), bias = live(bias_, p, full);
  return lazy_linear(x, weight, bias);
}

LayerNorm::LayerNorm(int64_t channels, Elastic elastic, double eps) : eps_(eps) {
  weight_ = add_parameter("weight", Tensor::ones({channels}), {follows(elastic)}, false);
  bias_ = add_parameter("bias", Tensor::zeros({channels}), {follows(elastic)}, false);
}

Lazy LayerNorm::operator()(const Tensor& x) const {
  const int64_t p = width_of("layer_norm", x.shape(), weight_, 0), full = weight_.value.size(0);
  return lazy_layer_norm(x, live(weight_, p, full), live(bias_, p, full), eps_);
}

Dropout::Dropout(double p) : p_(p) { HV_CHECK_USAGE(p >= 0 && p < 1, "dropout: a probability in [0, 1) is needed, found ", p); }

Lazy Dropout::operator()(const Lazy& x) const {
  if (!training() || p_ == 0) return x;
  return dropout(x, p_, next_noise_key());
}

DropPath::DropPath(double p) : p_(p) {
  HV_CHECK_USAGE(p >= 0 && p < 1, "drop_path: a probability in [0, 1) is needed, found ", p);
}

Lazy DropPath::operator()(const Lazy& x) const {
  if (!training() || p_ == 0) return x;
  return drop_path(x, p_, next_noise_key());
}

LayerScale::LayerScale(int64_t channels, double start, Elastic elastic) {
  if (start == 0) return;
  gamma_ = add_parameter("gamma", Tensor::full({channels}, start), {follows(elastic)}, false);
}

Lazy LayerScale::operator()(const Lazy& x) const {
  if (!gamma_.value.defined()) return x;
  const int64_t p = width_of("layer_scale", x.shape(), gamma_, 0);
  return Tensor(x) * live(gamma_, p, gamma_.value.size(0));
}

Conv2d::Conv2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding, Init& init)
    : stride_(stride), padding_(padding) {
  const int64_t fan_in = in * kernel * kernel;
  weight_ = add_parameter("weight", init.weight({out, in, kernel, kernel}, fan_in));
  bias_ = add_parameter("bias", init.bias(out, fan_in), {}, false);
}

}  // namespace hv::nn
