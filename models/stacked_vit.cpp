#include "models/stacked_vit.h"

#include "nn/part.h"

namespace hv::models {

StackedVit::StackedVit(const char* kind, const VitConfig& c, int64_t head_dim, const Bands& bands, uint64_t seed)
    : kind_(kind),
      vit_(c),
      bands_(bands),
      init_(c.init, seed),
      patch_embed_(c.channels, c.patch, bands.full(), init_),
      pos_drop_(c.dropout),
      norm_(bands.full(), nn::Elastic::both),
      head_(bands, c.classes, init_) {
  const int64_t width = bands.full();
  cls_token_ = add_parameter("cls_token", init_.normal({1, 1, width}, 1e-6), {false, false, true}, false);
  pos_embed_ = add_parameter("pos_embed", init_.trunc_normal({1, 1 + c.patches(), width}, 0.02), {false, false, true}, false);
  add_child("patch_embed", patch_embed_);
  add_child("pos_drop", pos_drop_);
  blocks_ = vit_blocks(c, {.width = width, .heads = {.size = head_dim}, .elastic = nn::Elastic::both}, init_);
  for (size_t i = 0; i < blocks_.size(); ++i) add_child(concat("blocks.", i), *blocks_[i]);
  add_child("norm", norm_);
  add_child(head_.child_name(), head_);
}

Tensor StackedVit::embed(const Tensor& images, int64_t width) {
  check_images(kind_, images, vit_);
  const Tensor cls = nn::live(cls_token_, width, full())(0, 0);     // [p]
  const Tensor positions = nn::live(pos_embed_, width, full())(0);  // [T, p]
  return pos_drop_(embed_tokens(patch_embed_(images, width), cls, positions));
}

nn::Lazy StackedVit::encode(Tensor x, nn::Keep keep) const {
  for (size_t i = 0; i + 1 < blocks_.size(); ++i) x = blocks_[i]->forward(x);
  return norm_(blocks_.back()->forward(x, keep));
}

Tensor StackedVit::rollout_from(const Tensor& embedded) const {
  return vit_rollout(blocks_, embedded, vit_.image / vit_.patch);
}

}  // namespace hv::models
