#include "models/hydravit.h"

#include "nn/part.h"

namespace hv::models {

HydraViT::HydraViT(const HydraViTConfig& c, uint64_t seed)
    : config_(from_config(to_config(c))),  // the same checks as for a configuration read from a file
      subnets_(subnets_of(c)),
      bands_(bands_of(c)),
      init_(c.init, seed),
      patch_embed_(c.channels, c.patch, c.width(), init_),
      pos_drop_(c.dropout),
      norm_(c.width(), nn::Elastic::both),
      head_(bands_, c.classes, init_) {
  cls_token_ = add_parameter("cls_token", init_.normal({1, 1, c.width()}, 1e-6), {false, false, true}, false);
  pos_embed_ = add_parameter("pos_embed", init_.trunc_normal({1, c.tokens(), c.width()}, 0.02), {false, false, true}, false);
  add_child("patch_embed", patch_embed_);
  add_child("pos_drop", pos_drop_);
  blocks_ = vit_blocks(c, {.width = c.width(), .heads = {.size = c.head_dim}, .elastic = nn::Elastic::both}, init_);
  for (size_t i = 0; i < blocks_.size(); ++i) add_child(concat("blocks.", i), *blocks_[i]);
  add_child("norm", norm_);
  add_child(head_.child_name(), head_);
}

Tensor HydraViT::embed(const Tensor& images, int64_t heads) {
  const HydraViTConfig& c = config_;
  check_images("hydravit", images, c);
  subnet(static_cast<double>(heads));                         // an error if it is none of subnets()
  const int64_t full = c.width(), p = heads * c.head_dim;     // the only place that chooses the width
  const Tensor cls = nn::live(cls_token_, p, full)(0, 0);     // [p]
  const Tensor positions = nn::live(pos_embed_, p, full)(0);  // [T, p]
  return pos_drop_(embed_tokens(patch_embed_(images, p), cls, positions));
}

Tensor HydraViT::forward(const Tensor& images, int64_t heads) {
  Tensor x = embed(images, heads);  // [B, T, p]
  for (size_t i = 0; i + 1 < blocks_.size(); ++i) x = blocks_[i]->forward(x);
  const Tensor cls = blocks_.back()->forward(x, nn::first_token);  // it decides: [B, p] -> [B, classes]
  return head_(norm_(cls), heads - config_.heads_min);
}

Tensor HydraViT::rollout(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  return vit_rollout(blocks_, embed(images, heads(subnet)), config_.image / config_.patch);
}

std::vector<Tensor> HydraViT::active(const Subnet& subnet) const {
  std::vector<Tensor> views;
  for (const nn::Parameter& parameter : parameters()) views.push_back(bands_.live(parameter, subnet));
  return views;
}

std::unique_ptr<ElasticModel> HydraViT::extract(const Subnet& subnet) const {
  HydraViTConfig c = config_;
  c.heads = c.heads_min = heads(subnet);
  c.classifiers = "shared";
  auto model = std::make_unique<HydraViT>(c, 0);
  copy_part(*this, subnet, *model);
  return model;
}

}  // namespace hv::models
