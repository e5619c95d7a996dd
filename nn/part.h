// Parts of parameters: the only way to the weights of a subnetwork.
//
// Invariants
//   1. part() and live() copy nothing. They return leaf views: the gradient of a view is the same rectangle of the parameter's
//      gradient. Inside NoGrad the views have no gradient.
//   2. They take the leading entries; while a TrailingParts is alive they take the last ones.
//   3. The elastic flags of a Parameter are the only statement of what shrinks. Layers and models read them through live().
// Thread rule: a TrailingParts holds for the thread that made it.
#pragma once

#include "nn/module.h"

namespace hv::nn {

// The first n entries of a dimension, or the last n inside a TrailingParts. n may be 0: that is an empty view.
Tensor part(const Tensor& parameter, int dim, int64_t n);

// What a subnetwork of width p of E uses: along every elastic dimension of size n, n * p / E entries. If that is no whole
// number, it is an error.
Tensor live(const Parameter& parameter, int64_t width, int64_t full_width);

// Scopes nest, and the innermost one decides. TrailingParts(false) means leading parts, for a choice that is made at run time.
// A layer takes its parts when it is called: the scope must be alive then, and need not be later.
class TrailingParts {
 public:
  explicit TrailingParts(bool on = true);
  ~TrailingParts();
  TrailingParts(const TrailingParts&) = delete;
  TrailingParts& operator=(const TrailingParts&) = delete;

 private:
  bool outer_;
};

}  // namespace hv::nn
