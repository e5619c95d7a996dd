// Probe: while one is alive, a forward pass records its attention maps, so that their gradients can be asked for afterwards.
//
// Each map has a leaf of zeros added to it before it meets the values. The gradient of this leaf is that of the map, so after
// backward() a model says how much each place of each map speaks for what was differentiated (models/relevance.h).
// Invariants
//   1. Results are those without a probe, up to rounding: attention is computed by ordinary operations (attention_maps.h).
//   2. Of a model that looks several times, the last look counts: each begin() forgets what was recorded. Its tokens are
//      detached there, because what lies before the first map is not asked for.
// Layers and models call the functions at the end; without a probe these do nothing, or what their comment says.
// Thread rule: a Probe holds for the thread that made it.
#pragma once

#include <span>
#include <vector>

#include "core/ops.h"

namespace hv::nn {

class Probe {
 public:
  // What happened to the tokens, in order: a block mixed them, or some of them were picked.
  struct Step {
    Tensor map, leaf;                  // [B, heads, T, T]; undefined if tokens were picked
    std::vector<int64_t> picked = {};  // as gather_tokens() takes them
    int64_t left = 0;                  // how many per image
  };
  Probe();
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  const std::vector<Step>& steps() const { return steps_; }
  int64_t first_tokens() const { return first_tokens_; }  // those before the patches (CLS, ...)
  int64_t tokens() const { return tokens_; }              // that entered the first block, the first ones among them
  bool reads_patches() const { return reads_patches_; }   // the classifier read the mean of the patches, not the first tokens

 private:
  friend Tensor probe_begin(const Tensor& tokens, int64_t first);
  friend Tensor probed_attention(const Tensor& qkv, const HeadLayout& layout);
  friend void probe_picks(std::span<const int64_t> picked, int64_t left);
  friend void probe_reads_patches();
  Probe* outer_;  // scopes nest, and the innermost one records
  std::vector<Step> steps_;
  int64_t first_tokens_ = 0, tokens_ = 0;
  bool reads_patches_ = false;
};

// Before the first block, with all tokens [B, T, p], `first` of them before the patches. Returns the tokens to go on with.
Tensor probe_begin(const Tensor& tokens, int64_t first);
Tensor probed_attention(const Tensor& qkv, const HeadLayout& layout);  // without a probe attention()
void probe_picks(std::span<const int64_t> picked, int64_t left);       // these tokens alone go on, as gather_tokens()
void probe_reads_patches();                                            // behind the last block: Probe::reads_patches

}  // namespace hv::nn
