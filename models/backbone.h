// What a vision transformer lends to a model that puts other classifiers on it (models/branches.h).
// Thread rule: as nn/module.h.
#pragma once

#include "models/elastic.h"
#include "nn/transformer.h"

namespace hv::models {

class Backbone {
 public:
  virtual ~Backbone() = default;
  // images [B, C, H, W] -> the tokens that `keep` takes of [B, T, p], after the last norm
  virtual nn::Lazy features(const Tensor& images, const Subnet& subnet, const nn::Keep& keep) = 0;
  virtual nn::Lazy classify(const nn::Lazy& feature, const Subnet& subnet) const = 0;  // [.., p] -> [.., classes]
  virtual int64_t width_of(const Subnet& subnet) const = 0;                            // p
  virtual int64_t full_width() const = 0;                                              // E
};

}  // namespace hv::models
