// Scala: a vision transformer that runs at any width of a grid, with all its heads.
// Zhang, Xu, Jiang, Feng, "Slicing Vision Transformer for Flexible Inference", NeurIPS 2024 (arXiv 2412.04786).
//
// Letters: B images, S first tokens (CLS, and DIST if the model is distilled), N patches, T = S + N, E the full width, r the
// ratio of a subnetwork, p = r E its width, H heads, K classes.
// Invariants
//   1. The number of heads stays, their size shrinks to p / H. Scores are multiplied by the full head's 1/sqrt(scale_dim).
//   2. The smallest and the full net use the first part of every tensor, all others the last (isolated activation), unless
//      `isolate` is off: then all use the first.
//   3. qkv is packed ({q, k, v}, head, size), and a net takes one contiguous piece of 3p rows, as in the authors' code. So a
//      row that is part of a query in the full net may be part of a key in a narrow one. In HydraViT each row keeps its role.
//   4. A subnetwork is a width and a view (models/token_axes.h): a size that images are resized to, and a rate of tokens to
//      keep. The first tokens always stay.
//   5. A Scala of one ratio is a ViT or a distilled DeiT. Its LayerNorms add 1e-5 to the variance, as the authors' code runs
//      them, if `eps` says nothing else: DeiT's own add 1e-6.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/backbone.h"
#include "models/classifiers.h"
#include "models/positions.h"
#include "models/vit.h"

namespace hv::models {

struct ScalaConfig : VitConfig {
  int64_t width = 256;  // E
  int64_t heads = 8;
  int64_t scale_dim = 32;           // scores are multiplied by 1 / sqrt of this: the size of a full head
  int64_t grid = 16, smallest = 4;  // ratios are smallest / grid, (smallest + 1) / grid, ..., 1
  bool distilled = true;            // a DIST token and a head of its own; else the CLS token alone
  bool isolate = true;              // false: every net uses the first part of every tensor
  double eps = 1e-5;                // of every LayerNorm
  // As in the authors' distilled class. There, tokens, positions, last norm and heads take the first part at the ratios 0.25
  // and 1, whatever the smallest ratio is. With a smallest ratio of 0.25 this changes nothing.
  bool literal_ends = false;

  int64_t first_tokens() const { return distilled ? 2 : 1; }
  int64_t tokens() const { return first_tokens() + patches(); }
};

Config to_config(const ScalaConfig& config);
ScalaConfig scala_from_config(const Config& config);    // untrusted: every value is checked (Fault::input)
std::vector<Cost> costs_of(const ScalaConfig& config);  // of every subnetwork, narrowest first
Bands bands_of(const ScalaConfig& config);              // which classifiers each uses
// Does the net of ratio k / grid take the last parts? Of patch embedding and blocks; of tokens, positions, last norm and heads.
bool trailing(const ScalaConfig& config, int64_t k);
bool trailing_ends(const ScalaConfig& config, int64_t k);
int64_t parameter_count(const ScalaConfig& config, int64_t width);
int64_t mac_count(const ScalaConfig& config, int64_t width);
Kind scala_kind();  // presets scala-nano, scala-cifar, scala-deit

class Scala : public ElasticModel, public Backbone {
 public:
  Scala(const ScalaConfig& config, uint64_t seed);

  // [B, classes] of the CLS head, then of the DIST head if there is one.
  std::vector<Tensor> outputs(const Tensor& images, const Subnet& subnet) override;
  Tensor forward(const Tensor& images, const Subnet& subnet) override;  // their mean
  nn::Lazy features(const Tensor& images, const Subnet& subnet, const nn::Keep& keep) override;
  nn::Lazy classify(const nn::Lazy& x, const Subnet& subnet) const override;  // by the CLS token's head
  int64_t width_of(const Subnet& subnet) const override { return width(subnet); }
  int64_t full_width() const override { return config_.width; }
  std::vector<Tensor> survivors(const Tensor& images, const Subnet& subnet) override;  // vit_survivors()
  // The tokens after the embedding, then after each block, [B, T, p]: for tests, without a gradient.
  std::vector<Tensor> hidden(const Tensor& images, const Subnet& subnet);

  const std::vector<Subnet>& subnets() const override { return subnets_; }
  std::vector<Tensor> active(const Subnet& subnet) const override;
  int64_t params(const Subnet& subnet) const override { return cost(subnet).params; }
  int64_t macs(const Subnet& subnet) const override { return cost(subnet).macs; }
  std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const override;
  Config config() const override { return to_config(config_); }
  int64_t classes() const override { return config_.classes; }
  int64_t image_size() const override { return config_.image; }

 private:
  const Cost& cost(const Subnet& subnet) const { return costs_.at(static_cast<size_t>(subnet.id)); }
  int64_t width(const Subnet& subnet) const { return bands_.width_of(subnet.id); }
  int64_t step(const Subnet& subnet) const { return config_.smallest + axes_.width(subnet.id); }  // of the grid
  bool trailing(const Subnet& subnet) const { return models::trailing(config_, step(subnet)); }
  bool trailing_ends(const Subnet& subnet) const { return models::trailing_ends(config_, step(subnet)); }
  Pruning pruning(const Subnet& subnet) const { return {axes_, config_.first_tokens(), axes_.view(subnet.id).keep}; }
  Tensor embed(const Tensor& images, const Subnet& subnet);

  ScalaConfig config_;
  TokenAxes axes_;
  std::vector<Cost> costs_;
  std::vector<Subnet> subnets_;
  Bands bands_;
  nn::Init init_;
  nn::Parameter cls_token_, dist_token_;
  Positions positions_;
  nn::PatchEmbed patch_embed_;
  nn::Dropout pos_drop_;
  Blocks blocks_;
  nn::LayerNorm norm_;
  Classifiers head_;
  std::unique_ptr<Classifiers> head_dist_;
};

}  // namespace hv::models
