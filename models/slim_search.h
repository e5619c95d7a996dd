// The search of ViT-Slim: a vision transformer with learned masks on the dimensions of its heads, its hidden units and its
// tokens (Chavan et al., "Vision Transformer Slimming", CVPR 2022, section 3). models/slim_cut.h cuts out what they say.
//
// With u = norm1(x) m, m = tanh(patch_zeta) one number per token, z = zeta of attention, s = zeta of the MLP:
//     y = x + proj(attention(z qkv(u))), then y + fc2(s gelu(fc1(norm2(y) m)))
// The same z multiplies q, k and v, so scores carry its square. The residual stream is not masked.
// Invariants
//   1. A family of masks that is not searched has no parameters and multiplies nothing.
//   2. Masks have weight decay, as in the authors' code.
//   3. A family that rests (rest()) is read without a gradient, and is no active part of the model, so nothing changes it.
// Thread rule: as nn/module.h.
#pragma once

#include <memory>
#include <vector>

#include "models/slim_cut.h"
#include "models/vit.h"

namespace hv::models {

struct SlimSearchConfig : VitConfig {
  int64_t heads = 8, head_dim = 32;
  std::string attention = "head-dims";         // masks of each head's dimensions; heads: of whole heads; shared: of dimensions,
                                               // the same for all heads of a block
  std::string masks = "attention,mlp,tokens";  // the families that are searched
  int64_t width() const { return heads * head_dim; }
};
Config to_config(const SlimSearchConfig& config);
SlimSearchConfig slim_search_from_config(const Config& config);

struct SlimFamilies {
  bool attention = false, mlp = false, tokens = false;
};

// As nn::Block, with masks.
class MaskedBlock : public nn::Module {
 public:
  MaskedBlock(const SlimSearchConfig& config, const SlimFamilies& masks, double drop_path, nn::Init& init);
  Tensor forward(const Tensor& x, const nn::Keep& keep) const;  // [B, T, E] -> keep([B, T, E])

  // Undefined if they are not searched.
  Tensor zeta;         // [1, 1, H, 1, D], [1, 1, H, 1, 1] or [1, 1, 1, 1, D]
  Tensor hidden_zeta;  // [1, 1, M]
  Tensor patch_zeta;   // [1, T, 1], before tanh
  SlimFamilies rests;

 private:
  Tensor masked(const nn::Lazy& normed, const nn::Keep& keep) const;  // times the masks of the tokens that `keep` takes
  int64_t heads_, head_dim_;
  nn::LayerNorm norm1_, norm2_;
  nn::Linear qkv_, proj_, fc1_, fc2_;
  Tensor qkv_weight_, qkv_bias_, fc2_weight_, fc2_bias_;  // of qkv_ and fc2_
  nn::Dropout drop_;
  nn::DropPath drop_path_;
};

class SlimSearch : public ElasticModel {
 public:
  explicit SlimSearch(const SlimSearchConfig& config, uint64_t seed = 0);

  Tensor forward(const Tensor& images, const Subnet& subnet) override;
  // The tokens after the embedding, then after each block, [B, T, E]: for tests, without a gradient.
  std::vector<Tensor> hidden(const Tensor& images);
  const std::vector<Subnet>& subnets() const override { return subnets_; }
  std::vector<Tensor> active(const Subnet& subnet) const override;
  int64_t params(const Subnet&) const override { return cost_.params; }
  int64_t macs(const Subnet&) const override { return cost_.macs; }
  std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const override;
  Config config() const override { return to_config(config_); }
  int64_t classes() const override { return config_.classes; }
  int64_t image_size() const override { return config_.image; }

  const std::vector<std::unique_ptr<MaskedBlock>>& blocks() const { return blocks_; }
  void rest(const SlimFamilies& families);  // from now on
  // For plan_cut(): what the masks are now, and the model without budgets.
  SlimMasks masks() const;
  SlimConfig uncut() const;

 private:
  Tensor embed(const Tensor& images) const;
  SlimSearchConfig config_;
  Cost cost_;
  std::vector<Subnet> subnets_;
  nn::Init init_;
  nn::Parameter cls_token_, pos_embed_;
  nn::PatchEmbed patch_embed_;
  nn::Dropout pos_drop_;
  std::vector<std::unique_ptr<MaskedBlock>> blocks_;
  nn::LayerNorm norm_;
  nn::Linear head_;
};

Kind slim_search_kind();  // presets slim-nano, slim-cifar, slim-deit

}  // namespace hv::models
