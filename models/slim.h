// Slim: a vision transformer whose layers have sizes of their own, as ViT-Slim cuts them out of a finished one (Chavan et al.,
// "Vision Transformer Slimming", CVPR 2022, arXiv 2201.00814). The cutting is in models/slim_cut.h.
//
// Letters: B images, T tokens, E the width of tokens, D_h the size of head h in a block, H = sum of D_h.
// Invariants
//   1. What was cut is not there: weights are as small as the layers, and nothing is multiplied by 0. A part without any
//      dimension or unit left adds its bias alone.
//   2. Scores are scaled by the size that heads had before the cut, as in the uncut model.
//   3. Budgets, if there are several, are nested, smallest first: of each head, and of the hidden units, a budget has the first
//      ones. Rows of qkv are packed (budget, head, {q, k, v}, what it adds), so a budget's weights are prefixes (idea 3).
//   4. A token takes part in the first `life` blocks, a number per token; all budgets share it. The CLS token stays to the
//      end. With `tokens_by` = masked no token goes; those whose life is over are 0 behind the norms of a block, as in the
//      authors' code, where they still take part in softmax with the bias as their key.
// Thread rule: as nn/module.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/vit.h"

namespace hv::models {

// Dimensions of each head and hidden units, by block.
struct SlimSizes {
  std::vector<std::vector<int64_t>> heads;  // [block][head]
  std::vector<int64_t> hidden;              // [block]
};

struct SlimConfig : VitConfig {  // mlp_ratio: of the uncut model
  int64_t width = 0;             // E
  int64_t head_dim = 0;          // of the uncut model
  // The names of the budgets, rising shares, as "0.5,0.7"; "1" if there is only one.
  std::string budgets;
  // Sizes of each budget, with ';' between budgets, '/' between blocks and ',' between the heads of a block: "4,0/8,2;8,4/8,8".
  // Of hidden units, a block is one number, so there is ',' between blocks.
  std::string head_dims, hidden;
  std::string life = "all";           // blocks that each token takes part in, as "4,4,3,0"; all: every block
  std::string tokens_by = "removed";  // or "masked": invariant 4

  std::vector<double> shares() const;                                                // of `budgets`
  std::vector<SlimSizes> sizes() const;                                              // of each budget
  std::vector<int64_t> lives() const;                                                // of each token
  void set(const std::vector<double>& shares, const std::vector<SlimSizes>& sizes);  // the opposite
  void set_lives(const std::vector<int64_t>& lives);
};
Config to_config(const SlimConfig& config);
SlimConfig slim_from_config(const Config& config);
std::vector<Cost> costs_of(const SlimConfig& config);
std::vector<LayerSizes> block_sizes(const SlimConfig& config);
Kind slim_kind();  // without presets: its models are cut

// As nn::Block, of unequal heads.
class SlimBlock : public nn::Module {
 public:
  // Of this block, by budget: dimensions of each head, hidden units.
  SlimBlock(const SlimConfig& config, const std::vector<std::vector<int64_t>>& heads, const std::vector<int64_t>& hidden,
            double drop_path, nn::Init& init);
  // [B, T, E] -> keep([B, T, E]). `mask` [T, 1] multiplies what comes out of the norms, unless it is undefined.
  Tensor forward(const Tensor& x, int64_t budget, const Tensor& mask, const nn::Keep& keep) const;
  // The attention of each head that has dimensions left, [B, heads, T, T], from the same x; undefined if none has.
  Tensor attention_of(const Tensor& x, int64_t budget, const Tensor& mask) const;
  // Of each parameter what a budget uses: as views, and put together as in a model of this budget alone.
  std::vector<Tensor> active(int64_t budget) const;
  std::vector<Tensor> alone(int64_t budget) const;

 private:
  std::vector<HeadLayout> layouts_;      // of each budget
  std::vector<int64_t> width_, hidden_;  // H and hidden units of each budget
  nn::LayerNorm norm1_, norm2_;
  nn::Parameter qkv_, qkv_bias_, proj_, proj_bias_, fc1_, fc1_bias_, fc2_, fc2_bias_;
  nn::Dropout drop_;
  nn::DropPath drop_path_;
};

class Slim : public ElasticModel {
 public:
  explicit Slim(const SlimConfig& config, uint64_t seed = 0);

  Tensor forward(const Tensor& images, const Subnet& subnet) override;
  Tensor rollout(const Tensor& images, const Subnet& subnet) override;  // as vit_rollout(); what left has no share in the rest
  std::vector<Tensor> survivors(const Tensor& images, const Subnet& subnet) override;
  const std::vector<Subnet>& subnets() const override { return subnets_; }
  std::vector<Tensor> active(const Subnet& subnet) const override;
  int64_t params(const Subnet& subnet) const override { return costs_.at(static_cast<size_t>(subnet.id)).params; }
  int64_t macs(const Subnet& subnet) const override { return costs_.at(static_cast<size_t>(subnet.id)).macs; }
  std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const override;
  Config config() const override { return to_config(config_); }
  int64_t classes() const override { return config_.classes; }
  int64_t image_size() const override { return config_.image; }

 private:
  Tensor embed(const Tensor& images) const;
  std::vector<int64_t> leaving(size_t block, int64_t batch) const;  // places_ of each image, for gather_tokens()
  SlimConfig config_;
  std::vector<Cost> costs_;
  std::vector<Subnet> subnets_;
  // By block. The tokens that enter it, or with masks those that are not 0; where these are among the tokens of the block
  // before, empty if all of them go on.
  std::vector<std::vector<int64_t>> alive_, places_;
  std::vector<Tensor> masks_;  // by block, with `tokens_by` = masked; undefined: nothing is masked
  nn::Init init_;
  nn::Parameter cls_token_, pos_embed_;
  nn::PatchEmbed patch_embed_;
  nn::Dropout pos_drop_;
  std::vector<std::unique_ptr<SlimBlock>> blocks_;
  nn::LayerNorm norm_;
  nn::Linear head_;
};

}  // namespace hv::models
