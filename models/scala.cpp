#include "models/scala.h"

#include <cmath>

#include "nn/part.h"

namespace hv::models {
namespace {

// What the heads read: the last block and the last norm go on with these tokens alone.
Tensor cls_token(const Tensor& x) { return x.slice(1, 0, 1); }                               // [B, T, p] -> [B, 1, p]
Tensor cls_and_dist(const Tensor& x) { return stack({x.select(1, 0), x.select(1, 1)}, 1); }  // [B, T, p] -> [B, 2, p]

}  // namespace

Scala::Scala(const ScalaConfig& c, uint64_t seed)
    : config_(scala_from_config(to_config(c))),
      axes_(c.token_axes()),
      costs_(costs_of(c)),
      bands_(bands_of(c)),
      init_(c.init, seed),
      positions_(c, c.first_tokens()),
      patch_embed_(c.channels, c.patch, c.width, init_, c.stem_channels()),
      pos_drop_(c.dropout),
      norm_(c.width, nn::Elastic::both, c.eps),
      head_(bands_, c.classes, init_) {
  for (const Cost& cost : costs_) subnets_.push_back(cost.subnet);
  cls_token_ = add_parameter("cls_token", init_.normal({1, 1, c.width}, 1e-6), {false, false, true}, false);
  if (c.distilled) dist_token_ = add_parameter("dist_token", init_.normal({1, 1, c.width}, 1e-6), {false, false, true}, false);
  for (const auto& [name, tokens] : positions_.tables()) {
    const Tensor start = init_.trunc_normal({1, tokens, c.width}, 0.02);
    positions_.add(add_parameter(name, start, {false, false, true}, false));
  }
  add_child("patch_embed", patch_embed_);
  add_child("pos_drop", pos_drop_);
  const nn::Heads heads{.count = c.heads, .multiplier = 1 / std::sqrt(static_cast<double>(c.scale_dim))};
  blocks_ = vit_blocks(c, {.width = c.width, .heads = heads, .eps = c.eps, .elastic = nn::Elastic::both}, init_);
  for (size_t i = 0; i < blocks_.size(); ++i) add_child(concat("blocks.", i), *blocks_[i]);
  add_child("norm", norm_);
  add_child(head_.child_name(), head_);
  if (!c.distilled) return;
  head_dist_ = std::make_unique<Classifiers>(bands_, c.classes, init_);
  add_child(head_dist_->child_name("_dist"), *head_dist_);
}

Tensor Scala::embed(const Tensor& images, const Subnet& subnet) {
  const ScalaConfig& c = config_;
  check_images("scala", images, c);
  const int64_t size = axes_.view(subnet.id).size, p = width(subnet);  // the only place that chooses the width
  const Tensor pixels = size == c.image ? images : resize_bilinear(images, size, size, true);
  Tensor patches;
  {
    const nn::TrailingParts side(trailing(subnet));
    patches = patch_embed_(pixels, p);
  }
  const nn::TrailingParts side(trailing_ends(subnet));
  Tensor first = nn::live(cls_token_, p, c.width)(0);  // [1, p]
  if (c.distilled) first = cat({first, nn::live(dist_token_, p, c.width)(0)}, 0);
  return pos_drop_(embed_tokens(patches, first, positions_.at(subnet.id, p, c.width)));
}

nn::Lazy Scala::features(const Tensor& images, const Subnet& subnet, const nn::Keep& keep) {
  Tensor x = embed(images, subnet);  // [B, T, p]
  {
    const nn::TrailingParts side(trailing(subnet));
    x = vit_encode(blocks_, x, pruning(subnet), keep);
  }
  const nn::TrailingParts side(trailing_ends(subnet));
  return norm_(x);
}

nn::Lazy Scala::classify(const nn::Lazy& x, const Subnet& subnet) const {
  const nn::TrailingParts side(trailing_ends(subnet));
  return head_(x, subnet.id);
}

std::vector<Tensor> Scala::outputs(const Tensor& images, const Subnet& subnet) {
  const Tensor first = features(images, subnet, config_.distilled ? cls_and_dist : cls_token);  // [B, S, p]
  const nn::TrailingParts side(trailing_ends(subnet));
  std::vector<Tensor> logits = {head_(first.select(1, 0), subnet.id)};
  if (config_.distilled) logits.push_back((*head_dist_)(first.select(1, 1), subnet.id));
  return logits;
}

Tensor Scala::forward(const Tensor& images, const Subnet& subnet) {
  const std::vector<Tensor> logits = outputs(images, subnet);
  return logits.size() == 1 ? logits[0] : (logits[0] + logits[1]) * 0.5;
}

std::vector<Tensor> Scala::hidden(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  std::vector<Tensor> all = {embed(images, subnet)};
  const nn::TrailingParts side(trailing(subnet));
  for (int64_t i = 0; i < std::ssize(blocks_); ++i) all.push_back(vit_block(blocks_, i, all.back(), pruning(subnet)));
  return all;
}

std::vector<Tensor> Scala::survivors(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  const Tensor x = embed(images, subnet);
  const nn::TrailingParts side(trailing(subnet));
  return vit_survivors(blocks_, x, axes_.view(subnet.id).size / config_.patch, pruning(subnet));
}

// Patch embedding and blocks may take other ends than the rest (literal_ends), so each parameter is asked by its name.
std::vector<Tensor> Scala::active(const Subnet& subnet) const {
  std::vector<Tensor> views;
  for (const nn::Parameter& parameter : parameters()) {
    const bool inner = parameter.name.rfind("blocks.", 0) == 0 || parameter.name.rfind("patch_embed.", 0) == 0;
    const nn::TrailingParts side(inner ? trailing(subnet) : trailing_ends(subnet));
    views.push_back(positions_.used(parameter, subnet.id) ? bands_.live(parameter, subnet) : nn::part(parameter.value, 0, 0));
  }
  return views;
}

std::unique_ptr<ElasticModel> Scala::extract(const Subnet& subnet) const {
  ScalaConfig c = config_;
  c.width = width(subnet);
  c.grid = c.smallest = 1;
  c.literal_ends = false;
  c.classifiers = "shared";
  static_cast<TokenConfig&>(c) = token_config_of(c, axes_.view(subnet.id));
  auto model = std::make_unique<Scala>(c, 0);
  const NoGrad off;
  std::vector<Tensor> parts = active(subnet);
  const nn::TrailingParts side(trailing_ends(subnet));
  positions_.resize(parts, parameters(), subnet.id, width(subnet), config_.width);
  copy_part(std::move(parts), *model);
  return model;
}

}  // namespace hv::models
