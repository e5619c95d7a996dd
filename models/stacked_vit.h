// What HydraViT and ThinkingViT share: one vision transformer of stacked heads, whose first k heads are a vision transformer.
//
// Letters: B images, T tokens (one CLS token and one per patch), E the full width, p = k * head_dim the width of k heads.
// Invariants
//   1. The width is chosen once, by embed(). Every later layer reads the width from its input.
//   2. QKV rows are packed (head, {q, k, v}, head_dim), so the first k heads are the first 3p rows and p columns.
//   3. The order of parameters and of the draws of their first weights never changes: checkpoints and seeds depend on it.
// Thread rule: as nn/module.h.
#pragma once

#include <memory>
#include <vector>

#include "models/classifiers.h"
#include "models/vit.h"

namespace hv::models {

class StackedVit : public ElasticModel {
 public:
  int64_t classes() const override { return vit_.classes; }
  int64_t image_size() const override { return vit_.image; }

 protected:
  // `kind` begins the text of errors. `config` has been checked. `bands` say which classifier a subnetwork uses, and E.
  StackedVit(const char* kind, const VitConfig& config, int64_t head_dim, const Bands& bands, uint64_t seed);

  Tensor embed(const Tensor& images, int64_t width);  // [B, C, H, W] -> [B, T, p]: patches, CLS token, positions
  nn::Lazy encode(Tensor x, nn::Keep keep) const;     // blocks and last norm: [B, T, p] -> the kept tokens
  Tensor rollout_from(const Tensor& embedded) const;  // [B, T, p] -> [B, side, side], see vit_rollout()
  int64_t full() const { return bands_.full(); }      // E

  const char* kind_;
  VitConfig vit_;
  Bands bands_;
  nn::Init init_;
  nn::Parameter cls_token_, pos_embed_;
  nn::PatchEmbed patch_embed_;
  nn::Dropout pos_drop_;
  std::vector<std::unique_ptr<nn::Block>> blocks_;
  nn::LayerNorm norm_;
  Classifiers head_;
};

}  // namespace hv::models
