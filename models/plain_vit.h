// Plain vision transformers: what other programs can run. timm calls them VisionTransformer, and with a DIST token
// VisionTransformerDistilled.
//
// A kind says which part of its weights is one (Kind::plain), and makes a model of one width from one (Kind::alone). So nothing
// that reads or writes other programs' files has to know a kind.
// Invariants
//   1. Names and shapes of the part's parameters are timm's. Two names may differ: those of the classifiers. A whole nested
//      model may have several of these (`separate`), which timm has not.
//   2. The part of a parameter is its leading rectangle, or the trailing one where `trailing_*` says so (nn/part.h).
//   3. The qkv part is one piece of 3 * width rows, packed as `stacked` says.
//   4. What resizes images or drops tokens (models/token_axes.h) is described, too, but timm has no such thing: in_timm().
// Thread rule: plain data; functions as models/kinds.h.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "models/elastic.h"

namespace hv::models {

// What a subnetwork looks at (models/token_axes.h), and the names of the axes that say it (Axis::name).
struct View {
  int64_t size = 0;  // pixels per side, after resizing
  double keep = 1;   // rate
};
inline constexpr const char *kSizeAxis = "px", *kRateAxis = "keep";

struct PlainVit {
  int64_t image = 0, patch = 0, channels = 0, depth = 0, mlp_ratio = 0, classes = 0;
  int64_t width = 0, heads = 0;
  int64_t hidden = 0;      // units of each MLP, if these are not mlp_ratio * width; else 0
  int64_t scale_dim = 0;   // scores are multiplied by 1 / sqrt of this; timm's: head_size()
  double eps = 1e-6;       // of every LayerNorm
  bool distilled = false;  // a DIST token after CLS, a classifier of its own; logits are the mean of both

  int64_t resized_from = 0;    // pixels per side of the images that are resized to `image`; 0: they are not
  double keep = 1;             // rate of tokens with which these blocks go on:
  std::vector<int64_t> prune;  // counted from 0, rising

  // Where that lies in the model's parameters.
  bool stacked = false;          // qkv rows are (head, {q, k, v}, size), not timm's ({q, k, v}, head, size)
  bool trailing_blocks = false;  // patch embedding and blocks
  bool trailing_ends = false;    // tokens, positions, last norm, classifiers
  std::string head = "head", head_dist = "head_dist";
  std::string pos_embed = "pos_embed";  // may be for more tokens than tokens(): then it is resized (models/positions.h)
  // Of a whole nested model; empty if it has one.
  std::vector<int64_t> separate;  // widths of its classifiers "heads.0", ...
  std::vector<int64_t> tables;    // tokens of its positions "pos_embed_list.0", ..., rising

  int64_t head_size() const { return width / heads; }
  int64_t units() const { return hidden > 0 ? hidden : mlp_ratio * width; }
  int64_t first_tokens() const { return distilled ? 2 : 1; }
  int64_t tokens() const { return first_tokens() + (image / patch) * (image / patch); }
  int64_t input() const { return resized_from > 0 ? resized_from : image; }  // pixels per side of the images
  bool prunes(int64_t block) const { return keep < 1 && std::count(prune.begin(), prune.end(), block) > 0; }
  bool in_timm() const { return resized_from == 0 && keep == 1; }
};

// The part of this width and view of a model; zeros stand for the largest ones, and a width of 0 for the whole nested model.
// Nothing if that is no vision transformer.
std::optional<PlainVit> plain_vit(const Config& config, int64_t width = 0, const View& view = {0, 0});
std::optional<PlainVit> plain_vit(const Config& config, const Subnet& subnet);
int64_t width_of(const Subnet& subnet);  // its axis "dim"
// The first kind of the table that can be `vit`, alone; an error (Fault::input) if none can.
Config model_that_is(const PlainVit& vit);
// The entries that a model of that configuration can have: metadata of a file may hold others.
std::vector<std::string> entries_of(const std::string& kind);
std::vector<std::string> plain_presets();  // of all kinds whose full model is a plain vision transformer

}  // namespace hv::models
