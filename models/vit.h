// What the vision transformers of this folder share: the common part of their configurations, what a width costs, their blocks.
//
// Letters: T tokens, S of them first tokens (CLS, ...), N patches, E the width, r the MLP ratio, L blocks, K classes.
// Thread rule: pure functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/token_axes.h"
#include "nn/transformer.h"

namespace hv::models {

struct VitConfig : TokenConfig {
  int64_t image = 32;  // pixels per side
  int64_t patch = 4;   // pixels per side
  int64_t channels = 3;
  int64_t depth = 7;      // blocks
  int64_t mlp_ratio = 2;  // hidden units = ratio * width
  int64_t classes = 10;
  double drop_path = 0;  // stochastic depth, rising linearly to this over the blocks
  double dropout = 0;
  std::string init = "trunc_normal";   // or "reference": uniform +-1/sqrt(fan_in), as the authors' code of HydraViT
  std::string classifiers = "shared";  // or "own", "bands:N": models/classifiers.h
  std::string stem = "patch";          // or "conv:64": convolutions of up to so many channels before the patches are cut

  int64_t patches(int64_t size) const { return (size / patch) * (size / patch); }  // of an image of so many pixels per side
  int64_t patches() const { return patches(image); }
  int64_t stem_channels() const;  // 0: there are no convolutions
  TokenAxes token_axes() const { return {*this, image, patch, depth}; }
};

// One list of the fields, for both directions (models/config_reader.h). Those of TokenConfig are a list of their own.
template <class C, class Visit>
void visit_vit(C& c, Visit& visit) {
  visit("image", c.image, 1, 4096);
  visit("patch", c.patch, 1, 4096);
  visit("channels", c.channels, 1, 64);
  visit("depth", c.depth, 1, 256);
  visit("mlp_ratio", c.mlp_ratio, 1, 64);
  visit("classes", c.classes, 1, 1 << 20);
  visit("drop_path", c.drop_path);
  visit("dropout", c.dropout);
  visit("init", c.init);
  visit.optional("classifiers", c.classifiers, "shared");
  visit.optional("stem", c.stem, "patch");
}
inline constexpr int64_t kMostParameters = int64_t{1} << 29;  // of any model: 2 GiB of weights
// What a list of bounds cannot say, of the whole model: of `width`, with so many first tokens and parameters (Fault::input).
void check_vit(const VitConfig& config, int64_t first_tokens, int64_t parameters);
std::vector<Setting> image_settings();                                                // --image-size, --patch-size, --stem
void check_images(const char* model, const Tensor& images, const VitConfig& config);  // [B, C, H, W]; else Fault::failure

// A vision transformer of one width: a subnetwork, by itself.
struct VitShape {
  int64_t width = 0, heads = 0;
  int64_t first_tokens = 1;
  int64_t outputs = 1;  // classifiers that a pass computes
  View view = {};       // size 0: that of the images, all tokens
};
// Tokens in each block: those that enter it, and those that go on after attention (models/token_axes.h, invariant 2).
struct TokenCounts {
  int64_t in = 0, out = 0;
};
std::vector<TokenCounts> token_counts(const VitConfig& config, const VitShape& shape);
int64_t vit_params(const VitConfig& config, const VitShape& shape);
// Of one image: convolution, linear layers, q k^T and attention times v, classifier. The convention of the published tables:
// every block in full, although the last one computes fewer rows (nn::first_token).
int64_t vit_macs(const VitConfig& config, const VitShape& shape);
// What fvcore's convention, and so timm's tables, adds to that: 5 per number that passes a LayerNorm.
int64_t vit_norm_macs(const VitConfig& config, const VitShape& shape);
Need vit_need(const VitConfig& config, const VitShape& shape);
Cost vit_cost(const Subnet& subnet, const VitConfig& config, const VitShape& shape);  // all of these

// For Kind::plain and Kind::alone: what both descriptions have in common. Scores are as timm's, eps and places by default.
// Zeros of the view stand for the largest ones.
PlainVit plain_of(const VitConfig& config, const VitShape& shape);
void put_plain(const PlainVit& from, VitConfig& to);

using Blocks = std::vector<std::unique_ptr<nn::Block>>;
// The blocks of the configuration; `block` says what VitConfig does not: width, heads, eps, ...
Blocks vit_blocks(const VitConfig& config, nn::BlockConfig block, nn::Init& init);

// Where blocks prune, and how much.
struct Pruning {
  TokenAxes axes;
  int64_t first_tokens = 1;
  double keep = 1;
  bool at(int64_t block) const { return keep < 1 && axes.prunes(block); }
};
// Block i on all its tokens, or if it prunes on those that it keeps. For `picked` see nn::Block::prune; it is left empty if
// nothing is pruned.
Tensor vit_block(const Blocks& blocks, int64_t i, const Tensor& x, const Pruning& how, std::vector<int64_t>* picked = nullptr);
// All blocks, [B, T, p] -> the tokens that `keep` takes of the last one. They include CLS, and no pruning of the last block.
Tensor vit_encode(const Blocks& blocks, Tensor x, const Pruning& how, const nn::Keep& keep);

Tensor identity(int64_t n);  // [n, n]

// The steps of a rollout, from the tokens that enter the first block: see vit_rollout().
class Rollout {
 public:
  explicit Rollout(const Tensor& x);                            // [B, T, E]
  void mix(const Tensor& attention);                            // of a block, [B, heads, T, T]
  void keep(const std::vector<int64_t>& picked, int64_t left);  // these tokens alone go on: as gather_tokens() takes them
  // [B, side, side]: of the tokens behind `first` ones. All 0 if nothing of them reached the CLS token.
  Tensor shares(int64_t first, int64_t side) const;

 private:
  Tensor flow_;  // [B, T, T0]: where the content of each token came from
};

// Attention rollout (Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers"): each block mixes tokens by
// A' = (mean over heads of A + I) / 2, where I stands for the residual. The CLS row of the product of all A' says how much of
// each patch has reached the classifier. x [B, T, p]: a CLS token and side * side patches, as the first block takes them. The
// result [B, side, side] leaves out the CLS token's own share. It has no gradient. Rows of pruned tokens are dropped.
Tensor vit_rollout(const Blocks& blocks, Tensor x, int64_t side, const Pruning& how);
// Which patches are left after each pruning, from the same x: [B, side, side] of 1 or 0 each.
std::vector<Tensor> vit_survivors(const Blocks& blocks, Tensor x, int64_t side, const Pruning& how);

// Writes parts of a model, as ElasticModel::active gives them, into a model of that subnetwork alone.
void copy_part(std::vector<Tensor> parts, const ElasticModel& to);

}  // namespace hv::models
