// HydraViT: a vision transformer whose first k heads are a vision transformer.
// Haberer, Hojjat, Landsiedel, "HydraViT: Stacking Heads for a Scalable ViT", NeurIPS 2024 (arXiv 2409.17978).
//
// Letters: B images, T tokens (one CLS token and one per patch), E = heads * head_dim the full width, p = k * head_dim the
// width of a subnetwork.
// Invariants
//   1. The width is chosen once: forward(images, k) asks the patch embedding for p columns. Every later layer reads the width
//      from its input.
//   2. QKV rows are packed (head, {q, k, v}, head_dim), so the first k heads are the first 3p rows and p columns (idea 3).
//   3. A single-width HydraViT (heads_min == heads) is the plain ViT.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/stacked_vit.h"

namespace hv::models {

struct HydraViTConfig : VitConfig {
  int64_t head_dim = 32;
  int64_t heads_min = 3;  // narrowest subnetwork
  int64_t heads = 8;      // widest; E = heads * head_dim

  int64_t width() const { return heads * head_dim; }
  int64_t tokens() const { return 1 + patches(); }
};

// "nano", "cifar" or "deit"; another name is a usage error that lists them.
HydraViTConfig preset(const std::string& name);
const std::vector<std::string>& preset_names();

// As text, for checkpoints and back. Reading checks every value against a bound before anything is allocated (Fault::input).
Config to_config(const HydraViTConfig& config);
HydraViTConfig from_config(const Config& config);
std::vector<Cost> costs_of(const HydraViTConfig& config);      // of every subnetwork, narrowest first
std::vector<Subnet> subnets_of(const HydraViTConfig& config);  // these
Bands bands_of(const HydraViTConfig& config);                  // which classifier each uses
Kind hydravit_kind();

// What the first `heads` heads cost, by formula: exact, and known before anything is allocated. MACs are those of one image.
int64_t parameter_count(const HydraViTConfig& config, int64_t heads);
int64_t mac_count(const HydraViTConfig& config, int64_t heads);
// What fvcore's convention, and so timm's tables, adds to that: 5 per number that passes a LayerNorm.
int64_t layer_norm_macs(const HydraViTConfig& config, int64_t heads);

class HydraViT : public StackedVit {
 public:
  HydraViT(const HydraViTConfig& config, uint64_t seed);

  using StackedVit::forward;
  // images [B, C, H, W] -> logits [B, classes] of the first `heads` heads.
  Tensor forward(const Tensor& images, int64_t heads) { return forward(images, subnet(static_cast<double>(heads))); }

  std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const override;
  Config config() const override { return to_config(config_); }
  const HydraViTConfig& settings() const { return config_; }

 private:
  HydraViTConfig config_;
};

}  // namespace hv::models
