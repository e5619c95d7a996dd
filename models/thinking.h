// ThinkingViT: a HydraViT that looks at an image several times, each time with more heads and with what it saw before.
// Hojjat et al., "ThinkingViT", CVPR 2026 (arXiv 2507.10800).
//
// Letters: B images, T tokens, E the full width, p the width of a stage, q that of the stage before.
// Invariants
//   1. A stage is a subnetwork: the first k heads, with HydraViT's slicing (models/hydravit.h). It uses all stages before it.
//   2. Stage s > 0 begins with embedding + alpha[s-1] * (W_s t + b_s), where t are all tokens of the stage before, after the
//      last norm. The paper computes this at width E and cuts it to p columns. Here only the p rows of W_s [E, q] and of the
//      embedding that are kept are computed, which gives the same numbers. So with three stages or more, the last rows of the
//      first maps are never read. They are stored because the authors' files have them; stage s counts p rows of each map.
//   3. Nothing is detached: the loss of a stage reaches all stages before it.
//   4. alpha begins at 0. So at first a stage ignores the one before, and in the first step the gradient of W and b is 0.
//   5. A ThinkingViT of one stage is the plain ViT.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/stacked_vit.h"

namespace hv::models {

struct ThinkingConfig : VitConfig {
  int64_t head_dim = 32;
  std::vector<int64_t> stages = {4, 8};  // heads of each stage, fewest first; E = the last one's * head_dim

  int64_t width(size_t stage) const { return stages.at(stage) * head_dim; }
  int64_t width() const { return stages.back() * head_dim; }
  int64_t tokens() const { return 1 + patches(); }
};

Config to_config(const ThinkingConfig& config);
ThinkingConfig thinking_from_config(const Config& config);     // untrusted: every value is checked (Fault::input)
std::vector<Subnet> subnets_of(const ThinkingConfig& config);  // one per stage
Bands bands_of(const ThinkingConfig& config);                  // which classifier each uses
std::vector<Cost> costs_of(const ThinkingConfig& config);      // of each stage, together with all stages before it
Kind thinking_kind();                                          // presets thinking-nano, thinking-cifar, thinking-deit

class Thinking : public StackedVit {
 public:
  Thinking(const ThinkingConfig& config, uint64_t seed);

  // Of this stage, after all before it.
  nn::Lazy features(const Tensor& images, const Subnet& subnet, const nn::Keep& keep) override;
  Look look(const Tensor& images, const Subnet& subnet, const Look& before) override;  // memory: tokens [B, T, p]
  bool continues() const override { return true; }
  // Of the stage's own attention. Where the tokens that were handed on came from is not followed.
  Tensor rollout(const Tensor& images, const Subnet& subnet) override;

  std::vector<Tensor> active(const Subnet& subnet) const override;
  std::unique_ptr<ElasticModel> extract(const Subnet& subnet) const override;  // a ThinkingViT of the stages up to this one
  Config config() const override { return to_config(config_); }

 private:
  static size_t stage(const Subnet& subnet) { return static_cast<size_t>(subnet.id); }
  const Subnet& subnet(size_t stage) const { return subnets().at(stage); }
  Tensor begin(const Tensor& images, size_t stage, const Tensor& before);  // [B, T, p], before the blocks
  Tensor look_once(const Tensor& images, size_t stage, const Tensor& before, const nn::Keep& keep);  // kept, after the norm
  Tensor tokens_before(const Tensor& images, size_t stage);  // what the stage before hands on; undefined if there is none

  struct Recall {  // how a stage takes up what the one before hands on
    nn::Parameter alpha, weight, bias;
  };
  ThinkingConfig config_;
  std::vector<Recall> recalls_;  // [s - 1]: of stage s
};

}  // namespace hv::models
