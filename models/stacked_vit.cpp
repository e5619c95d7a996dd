#include "models/stacked_vit.h"

#include "nn/part.h"

namespace hv::models {

StackedVit::StackedVit(const VitConfig& c, Plan plan, uint64_t seed)
    : init_(c.init, seed),
      vit_(c),
      plan_(std::move(plan)),
      axes_(c.token_axes()),
      positions_(c, 1),
      patch_embed_(c.channels, c.patch, full(), init_, c.stem_channels()),
      pos_drop_(c.dropout),
      norm_(full(), nn::Elastic::both),
      head_(plan_.bands, c.classes, init_) {
  for (const Cost& cost : plan_.costs) subnets_.push_back(cost.subnet);
  cls_token_ = add_parameter("cls_token", init_.normal({1, 1, full()}, 1e-6), {false, false, true}, false);
  for (const auto& [name, tokens] : positions_.tables()) {
    const Tensor start = init_.trunc_normal({1, tokens, full()}, 0.02);
    positions_.add(add_parameter(name, start, {false, false, true}, plan_.decays_positions));
  }
  add_child("patch_embed", patch_embed_);
  add_child("pos_drop", pos_drop_);
  blocks_ = vit_blocks(c, {.width = full(), .heads = {.size = plan_.head_dim}, .elastic = nn::Elastic::both}, init_);
  for (size_t i = 0; i < blocks_.size(); ++i) add_child(concat("blocks.", i), *blocks_[i]);
  add_child("norm", norm_);
  add_child(head_.child_name(), head_);
}

Tensor StackedVit::embed(const Tensor& images, const Subnet& subnet) {
  check_images(plan_.kind, images, vit_);
  const int64_t size = view(subnet).size, p = width(subnet);  // the only place that chooses the width
  const Tensor pixels = size == vit_.image ? images : resize_bilinear(images, size, size, true);
  const Tensor cls = nn::live(cls_token_, p, full())(0, 0);  // [p]
  return pos_drop_(embed_tokens(patch_embed_(pixels, p), cls, positions_.at(subnet.id, p, full())));
}

nn::Lazy StackedVit::encode(const Tensor& x, const Subnet& subnet, const nn::Keep& keep) const {
  return norm_(vit_encode(blocks_, x, pruning(subnet), keep));
}

nn::Lazy StackedVit::features(const Tensor& images, const Subnet& subnet, const nn::Keep& keep) {
  return encode(embed(images, subnet), subnet, keep);
}

Tensor StackedVit::forward(const Tensor& images, const Subnet& subnet) {
  return classify(features(images, subnet, nn::first_token), subnet);  // [B, p] -> [B, classes]
}

Tensor StackedVit::rollout_from(const Tensor& embedded, const Subnet& subnet) const {
  return vit_rollout(blocks_, embedded, side(subnet), pruning(subnet));
}

Tensor StackedVit::rollout(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  return rollout_from(embed(images, subnet), subnet);
}

std::vector<Tensor> StackedVit::survivors(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  return vit_survivors(blocks_, embed(images, subnet), side(subnet), pruning(subnet));
}

std::vector<Tensor> StackedVit::hidden(const Tensor& images, const Subnet& subnet, std::vector<std::vector<int64_t>>* picked) {
  const NoGrad off;
  std::vector<Tensor> all = {embed(images, subnet)};
  std::vector<int64_t> index;
  for (int64_t i = 0; i < std::ssize(blocks_); ++i) {
    all.push_back(vit_block(blocks_, i, all.back(), pruning(subnet), &index));
    if (picked) picked->push_back(index);
  }
  return all;
}

std::vector<Tensor> StackedVit::active(const Subnet& subnet) const {
  std::vector<Tensor> views;
  for (const nn::Parameter& p : parameters()) {
    views.push_back(positions_.used(p, subnet.id) ? bands().live(p, subnet) : nn::part(p.value, 0, 0));
  }
  return views;
}

void StackedVit::copy_to(ElasticModel& alone, const Subnet& subnet) const {
  const NoGrad off;
  std::vector<Tensor> parts = active(subnet);
  positions_.resize(parts, parameters(), subnet.id, width(subnet), full());
  copy_part(std::move(parts), alone);
}

}  // namespace hv::models
