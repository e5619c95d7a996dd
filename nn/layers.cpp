#include "nn/layers.h"

namespace hv::nn {

// --- Linear -----------------------------------------------------------------------------------------------------------------

Linear::Linear(int64_t in, int64_t out, Init& init, Out kind) : kind_(kind) {
  const bool elastic = kind == Out::elastic;
  weight_ = add_parameter("weight", init.weight({out, in}, in), {elastic, true});
  bias_ = add_parameter("bias", init.bias(out, in), {elastic}, false);
}

int64_t Linear::rows(int64_t in) const {
  HV_CHECK(in >= 0 && in <= weight_.size(1), "linear: ", in, " columns for a weight of ", weight_.shape());
  return kind_ == Out::fixed ? weight_.size(0) : weight_.size(0) * in / weight_.size(1);
}

Tensor Linear::weight_for(int64_t in) const { return weight_.slice(0, 0, rows(in)).slice(1, 0, in); }

// --- LayerNorm --------------------------------------------------------------------------------------------------------------

LayerNorm::LayerNorm(int64_t channels, double eps) : eps_(eps) {
  weight_ = add_parameter("weight", Tensor::ones({channels}), {true}, false);
  bias_ = add_parameter("bias", Tensor::zeros({channels}), {true}, false);
}

Tensor LayerNorm::then(const Linear& next, const Tensor& x) const {
  const int64_t p = x.size(-1);
  return norm_linear(x, gain(p), shift(p), eps_, next.weight_for(p), next.bias_for(p));
}

// --- noise, scale -----------------------------------------------------------------------------------------------------------

Dropout::Dropout(double p) : p_(p) { HV_CHECK_USAGE(p >= 0 && p < 1, "dropout: a probability in [0, 1) is needed, found ", p); }

DropPath::DropPath(double p) : p_(p) {
  HV_CHECK_USAGE(p >= 0 && p < 1, "drop_path: a probability in [0, 1) is needed, found ", p);
}

LayerScale::LayerScale(int64_t channels, double start) {
  gamma_ = add_parameter("gamma", Tensor::full({channels}, start), {true}, false);
}

// --- attention and MLP ------------------------------------------------------------------------------------------------------

MultiHeadAttention::MultiHeadAttention(int64_t width, int64_t head_dim, double dropout, Init& init)
    : head_dim_(head_dim), qkv_(width, 3 * width, init), proj_(width, width, init), drop_(dropout) {
  add_child("qkv", qkv_);
  add_child("proj", proj_);
  add_child("drop", drop_);
}

Tensor MultiHeadAttention::mix(const LayerNorm& norm, const Tensor& x) const {
  return hv::attention(norm.then(qkv_, x), head_dim_);  // [B, T, p] -> [B, T, 3p] -> [B, T, p]
}

Tensor MultiHeadAttention::project(const Tensor& mixed, const Tensor& residual) const {
  const int64_t p = mixed.size(-1);
  if (!drop_.active()) return linear(mixed, proj_.weight_for(p), proj_.bias_for(p), residual);
  const Tensor y = drop_.forward(proj_.forward(mixed));
  return residual.defined() ? residual + y : y;
}

Tensor MultiHeadAttention::probabilities(const LayerNorm& norm, const Tensor& x) const {
  NoGrad off;
  return attention_probabilities(norm.then(qkv_, x), head_dim_);
}

Mlp::Mlp(int64_t width, int64_t hidden, double dropout, Init& init)
    : fc1_(width, hidden, init), fc2_(hidden, width, init), drop_(dropout) {
  add_child("fc1", fc1_);
  add_child("fc2", fc2_);
  add_child("drop", drop_);
}

Tensor Mlp::forward(const LayerNorm& norm, const Tensor& x, const Tensor& residual) const {
  const Tensor hidden = norm.then(fc1_, x);  // before GELU: [B, T, ratio * p]
  const int64_t h = hidden.size(-1);
  if (!drop_.active()) return gelu_linear(hidden, fc2_.weight_for(h), fc2_.bias_for(h), residual);
  const Tensor y = drop_.forward(fc2_.forward(drop_.forward(gelu(hidden))));
  return residual.defined() ? residual + y : y;
}

// --- block ------------------------------------------------------------------------------------------------------------------

Block::Block(const BlockConfig& c, Init& init)
    : norm1_(c.width),
      attn_(c.width, c.head_dim, c.dropout, init),
      norm2_(c.width),
      mlp_(c.width, c.hidden, c.dropout, init),
      drop_path_(c.drop_path) {
  add_child("norm1", norm1_);
  add_child("attn", attn_);
  add_child("norm2", norm2_);
  add_child("mlp", mlp_);
  add_child("drop_path", drop_path_);
  if (c.layer_scale > 0) {
    scale1_ = std::make_unique<LayerScale>(c.width, c.layer_scale);
    scale2_ = std::make_unique<LayerScale>(c.width, c.layer_scale);
    add_child("ls1", *scale1_);
    add_child("ls2", *scale2_);
  }
}

Tensor Block::finish(const Tensor& x, const Tensor& mixed) const {
  if (!scale1_ && !drop_path_.active()) {  // the residual joins inside the last product of each branch
    const Tensor y = attn_.project(mixed, x);
    return mlp_.forward(norm2_, y, y);
  }
  const auto branch = [&](const Tensor& y, const std::unique_ptr<LayerScale>& scale) {
    return drop_path_.forward(scale ? scale->forward(y) : y);
  };
  const Tensor y = x + branch(attn_.project(mixed, {}), scale1_);
  return y + branch(mlp_.forward(norm2_, y, {}), scale2_);
}

// --- patches and convolution ------------------------------------------------------------------------------------------------

PatchEmbed::Proj::Proj(int64_t channels, int64_t patch, int64_t width, Init& init) {
  const int64_t fan_in = channels * patch * patch;
  weight = add_parameter("weight", init.weight({width, channels, patch, patch}, fan_in), {true, false, false, false});
  bias = add_parameter("bias", init.bias(width, fan_in), {true}, false);
}

PatchEmbed::PatchEmbed(int64_t channels, int64_t patch, int64_t width, Init& init)
    : patch_(patch), proj_(channels, patch, width, init) {
  add_child("proj", proj_);
}

Tensor PatchEmbed::forward(const Tensor& images, int64_t width) const {
  const Tensor weight = proj_.weight.view({proj_.weight.size(0), -1}).slice(0, 0, width);  // [p, C P P]
  return linear(patchify(images, patch_), weight, proj_.bias.slice(0, 0, width));
}

Conv2d::Conv2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding, Init& init)
    : stride_(stride), padding_(padding) {
  const int64_t fan_in = in * kernel * kernel;
  weight_ = add_parameter("weight", init.weight({out, in, kernel, kernel}, fan_in));
  bias_ = add_parameter("bias", init.bias(out, fan_in), {}, false);
}

}  // namespace hv::nn
