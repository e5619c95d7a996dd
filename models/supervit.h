// SuperViT: one transformer for images of several sizes, which may drop the tokens that matter least.
// Lin, Chen, Zhang, Shen, Lin, Cao, Shen, Ji, "Super Vision Transformer", IJCV 2023 (arXiv 2205.11397).
//
// A subnetwork is a size that images are resized to, and a rate of tokens to keep (models/token_axes.h).
// Quirks of the authors' code that are kept: position tables are decayed; a table whose size no pass of a step used is not
// updated in that step; images are resized with aligned corners. Not kept: its qkv rows are ({q, k, v}, head, size), ours are
// those of stacked heads, which computes the same.
#pragma once

#include <memory>

#include "models/stacked_vit.h"

namespace hv::models {

struct SuperViTConfig : VitConfig {
  int64_t heads = 8, head_dim = 32;
  int64_t width() const { return heads * head_dim; }
};

Config to_config(const SuperViTConfig& config);
SuperViTConfig supervit_from_config(const Config& config);  // untrusted: every value is checked (Fault::input)
std::vector<Cost> costs_of(const SuperViTConfig& config);
Kind supervit_kind();  // presets supervit-nano, supervit-cifar, supervit-deit

class SuperViT : public StackedVit {
 public:
  SuperViT(const SuperViTConfig& config, uint64_t seed);
  std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const override;
  Config config() const override { return to_config(config_); }

 private:
  SuperViTConfig config_;
};

}  // namespace hv::models
