// The layers of a vision transformer, and a convolution.
//
// Every layer is elastic: it reads the width p of what comes in (x.size(-1)) and uses the leading rectangle of its weights, so
// one object serves every subnetwork. Names of parameters are timm's.
// Invariants
//   1. A layer of full size gives out_features * p / in_features rows for an input of p columns, unless its output is fixed.
//   2. Layers hold no width and no activation: forward() is const.
#pragma once

#include <memory>

#include "nn/init.h"
#include "nn/module.h"

namespace hv::nn {

enum class Out { elastic, fixed };  // does the number of output rows follow the width?

// y = x W^T + b; weight [N, K], bias [N].
class Linear : public Module {
 public:
  Linear(int64_t in, int64_t out, Init& init, Out kind = Out::elastic);
  Tensor forward(const Tensor& x) const { return linear(x, weight_for(x.size(-1)), bias_for(x.size(-1))); }
  // The rectangle for an input of `in` columns, and its bias: what fused operations take.
  Tensor weight_for(int64_t in) const;
  Tensor bias_for(int64_t in) const { return bias_.slice(0, 0, rows(in)); }

 private:
  int64_t rows(int64_t in) const;
  Out kind_;
  Tensor weight_, bias_;
};

// Over the p channels at hand.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(int64_t channels, double eps = 1e-6);
  Tensor forward(const Tensor& x) const { return layer_norm(x, gain(x.size(-1)), shift(x.size(-1)), eps_); }
  // next(LayerNorm(x)) in one operation that keeps x alone.
  Tensor then(const Linear& next, const Tensor& x) const;

 private:
  Tensor gain(int64_t p) const { return weight_.slice(0, 0, p); }
  Tensor shift(int64_t p) const { return bias_.slice(0, 0, p); }
  double eps_;
  Tensor weight_, bias_;
};

class Dropout : public Module {
 public:
  explicit Dropout(double p);
  Tensor forward(const Tensor& x) const { return active() ? dropout(x, p_, next_noise_key()) : x; }
  bool active() const { return training() && p_ > 0; }

 private:
  double p_;
};

// Stochastic depth (Huang et al. 2016): drops a residual branch for whole images.
class DropPath : public Module {
 public:
  explicit DropPath(double p);
  Tensor forward(const Tensor& x) const { return active() ? drop_path(x, p_, next_noise_key()) : x; }
  bool active() const { return training() && p_ > 0; }

 private:
  double p_;
};

// y = gamma * x (Touvron et al. 2021).
class LayerScale : public Module {
 public:
  LayerScale(int64_t channels, double start);
  Tensor forward(const Tensor& x) const { return x * gamma_.slice(0, 0, x.size(-1)); }

 private:
  Tensor gamma_;
};

// Stacked heads: qkv rows are packed (head, {q, k, v}, head_dim), so the first k heads are a prefix.
// In two steps, so that a block can go on with some of the tokens: mix(x) = attention(qkv(norm(x))), then proj(mixed) +
// residual.
class MultiHeadAttention : public Module {
 public:
  MultiHeadAttention(int64_t width, int64_t head_dim, double dropout, Init& init);
  Tensor mix(const LayerNorm& norm, const Tensor& x) const;            // [B, T, p] -> [B, T, p]
  Tensor project(const Tensor& mixed, const Tensor& residual) const;   // any number of rows of p
  Tensor probabilities(const LayerNorm& norm, const Tensor& x) const;  // [B, heads, T, T], to look at

 private:
  int64_t head_dim_;
  Linear qkv_, proj_;
  Dropout drop_;
};

// fc2(gelu(fc1(norm(x)))) + residual
class Mlp : public Module {
 public:
  Mlp(int64_t width, int64_t hidden, double dropout, Init& init);
  Tensor forward(const LayerNorm& norm, const Tensor& x, const Tensor& residual) const;

 private:
  Linear fc1_, fc2_;
  Dropout drop_;
};

struct BlockConfig {
  int64_t width = 0, head_dim = 0, hidden = 0;
  double dropout = 0, drop_path = 0;
  double layer_scale = 0;  // 0: none
};

// Pre-norm: y = x + attn(norm1(x)), then y + mlp(norm2(y)).
class Block : public Module {
 public:
  Block(const BlockConfig& config, Init& init);
  Tensor forward(const Tensor& x) const { return finish(x, attn_.mix(norm1_, x)); }  // [B, T, p] -> [B, T, p]
  // The first token alone, [B, p]: what forward() would give there. For the last block of a classifier, which reads nothing
  // else:
  // after attention no token sees another, so five eighths of the block's products (at MLP ratio 2) need not be made.
  Tensor forward_first(const Tensor& x) const { return finish(x.select(1, 0), attn_.mix(norm1_, x).select(1, 0)); }
  const MultiHeadAttention& attention() const { return attn_; }
  const LayerNorm& attention_norm() const { return norm1_; }

 private:
  Tensor finish(const Tensor& x, const Tensor& mixed) const;  // all that happens after tokens have looked at each other
  LayerNorm norm1_;
  MultiHeadAttention attn_;
  LayerNorm norm2_;
  Mlp mlp_;
  std::unique_ptr<LayerScale> scale1_, scale2_;
  DropPath drop_path_;
};

// Images to tokens: a convolution whose stride is its kernel, as one product on unfolded patches. weight [E, C, P, P] as in
// timm.
class PatchEmbed : public Module {
 public:
  PatchEmbed(int64_t channels, int64_t patch, int64_t width, Init& init);
  Tensor forward(const Tensor& images, int64_t width) const;  // [B, C, H, W] -> [B, N, width]

 private:
  // The convolution's parameters, under timm's name "proj".
  class Proj : public Module {
   public:
    Proj(int64_t channels, int64_t patch, int64_t width, Init& init);
    Tensor weight, bias;
  };
  int64_t patch_;
  Proj proj_;
};

class Conv2d : public Module {
 public:
  Conv2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding, Init& init);
  Tensor forward(const Tensor& x) const { return conv2d(x, weight_, bias_, stride_, padding_); }

 private:
  int64_t stride_, padding_;
  Tensor weight_, bias_;
};

}  // namespace hv::nn
