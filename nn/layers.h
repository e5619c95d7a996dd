// The layers that everything is built from: Linear, LayerNorm, noise, LayerScale, convolution. Names of parameters are timm's.
//
// Invariants
//   1. A layer takes inputs of its own width. For any other width it raises an error that shows both shapes.
//   2. A layer that is built elastic also takes narrower inputs. It reads the width p from the input and uses the live part of
//      its parameters (nn/part.h), so one object serves every subnetwork.
//   3. Layers hold no width and no activation: operator() is const.
//   4. A layer that returns a Lazy computes nothing yet; the Lazy does so when it becomes a Tensor (nn/fusion.h).
// Thread rule: as nn/module.h.
#pragma once

#include "nn/fusion.h"
#include "nn/init.h"
#include "nn/module.h"

namespace hv::nn {

// Which sides of a layer shrink with the width of its input. `both`: an input of p columns gives out * p / in outputs.
enum class Elastic { none, in, both };

// y = x W^T + b; weight [out, in], bias [out].
class Linear : public Module {
 public:
  Linear(int64_t in, int64_t out, Init& init, Elastic elastic = Elastic::none);
  Lazy operator()(const Lazy& x) const;  // [.., in] -> [.., out]

 private:
  Parameter weight_, bias_;
};

// LayerNorm (Ba et al. 2016) over the last dimension: a subnetwork of width p normalises its p channels. Inputs and outputs are
// the same channels, so `in` and `both` mean the same here.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(int64_t channels, Elastic elastic = Elastic::none, double eps = 1e-6);
  Lazy operator()(const Tensor& x) const;

 private:
  double eps_;
  Parameter weight_, bias_;
};

class Dropout : public Module {
 public:
  explicit Dropout(double p);
  Lazy operator()(const Lazy& x) const;

 private:
  double p_;
};

// Stochastic depth (Huang et al. 2016): drops a residual branch for whole images.
class DropPath : public Module {
 public:
  explicit DropPath(double p);
  Lazy operator()(const Lazy& x) const;

 private:
  double p_;
};

// y = gamma * x (Touvron et al. 2021), where gamma [channels] begins at `start`. With start 0 there is no gamma, and y = x.
class LayerScale : public Module {
 public:
  LayerScale(int64_t channels, double start, Elastic elastic = Elastic::none);
  Lazy operator()(const Lazy& x) const;

 private:
  Parameter gamma_;
};

// [B, in, H, W] -> [B, out, H', W']; weight [out, in, kernel, kernel], bias [out].
class Conv2d : public Module {
 public:
  Conv2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding, Init& init);
  Tensor operator()(const Tensor& x) const { return conv2d(x, weight_.value, bias_.value, stride_, padding_); }

 private:
  int64_t stride_, padding_;
  Parameter weight_, bias_;
};

}  // namespace hv::nn
