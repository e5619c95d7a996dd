#include "models/thinking.h"

#include <algorithm>

#include "nn/part.h"

namespace hv::models {

Thinking::Thinking(const ThinkingConfig& c, uint64_t seed)
    : config_(thinking_from_config(to_config(c))),
      subnets_(subnets_of(c)),
      costs_(costs_of(c)),
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
  for (size_t s = 1; s < c.stages.size(); ++s) {  // proj_layer, proj_layer2, ...: the authors' names
    const std::string map = s == 1 ? "proj_layer" : concat("proj_layer", s);
    const int64_t before = c.width(s - 1);
    recalls_.push_back({add_parameter(concat("alpha.", s - 1), Tensor::zeros({1}), {false}, false),
                        add_parameter(map + ".weight", init_.weight({c.width(), before}, before), {true, false}),
                        add_parameter(map + ".bias", init_.bias(c.width(), before), {true}, false)});
  }
}

Tensor Thinking::begin(const Tensor& images, size_t stage, const Tensor& before) {
  const ThinkingConfig& c = config_;
  check_images("thinking", images, c);
  const int64_t full = c.width(), p = c.width(stage);  // the only place that chooses the width
  const Tensor cls = nn::live(cls_token_, p, full)(0, 0), positions = nn::live(pos_embed_, p, full)(0);
  const Tensor x = pos_drop_(embed_tokens(patch_embed_(images, p), cls, positions));
  if (stage == 0) return x;
  const Shape expected{images.size(0), c.tokens(), c.width(stage - 1)};
  HV_CHECK(before.defined() && before.shape() == expected, "thinking: stage ", stage, " goes on from tokens ", expected,
           ", found ", before.defined() ? concat(before.shape()) : "none: run the stage before it first");
  // alpha is multiplied into the map, which is smaller than the tokens: x + t (alpha W)^T + alpha b is one product.
  const Recall& recall = recalls_[stage - 1];
  const Tensor& alpha = recall.alpha.value;
  return linear(before, nn::live(recall.weight, p, full) * alpha, nn::live(recall.bias, p, full) * alpha, x);
}

Tensor Thinking::look_once(const Tensor& images, size_t stage, const Tensor& before, nn::Keep keep) {
  Tensor x = begin(images, stage, before);
  for (size_t i = 0; i + 1 < blocks_.size(); ++i) x = blocks_[i]->forward(x);
  return norm_(blocks_.back()->forward(x, keep));
}

Tensor Thinking::tokens_before(const Tensor& images, size_t stage) {
  Tensor tokens;
  for (size_t s = 0; s < stage; ++s) tokens = look_once(images, s, tokens, nn::all_tokens);
  return tokens;
}

Tensor Thinking::forward(const Tensor& images, const Subnet& subnet) {
  const size_t s = stage(subnet);
  return head_(look_once(images, s, tokens_before(images, s), nn::first_token), subnet.id);
}

Look Thinking::look(const Tensor& images, const Subnet& subnet, const Look& before) {
  const size_t s = stage(subnet);
  if (s + 1 == subnets_.size()) return {head_(look_once(images, s, before.memory, nn::first_token), subnet.id), {}};
  const Tensor tokens = look_once(images, s, before.memory, nn::all_tokens);  // the next stage reads all of them
  return {head_(nn::first_token(tokens), subnet.id), tokens};
}

Tensor Thinking::rollout(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  const size_t s = stage(subnet);
  return vit_rollout(blocks_, begin(images, s, tokens_before(images, s)), config_.image / config_.patch);
}

// A subnetwork has the maps of its own stages, and of all parameters what the width of its last stage takes.
std::vector<Tensor> Thinking::active(const Subnet& subnet) const {
  std::vector<nn::Parameter> all = parameters();
  std::vector<Tensor> views;
  const auto later = [&](const nn::Parameter& parameter) {
    return std::any_of(recalls_.begin() + subnet.id, recalls_.end(), [&](const Recall& r) {
      return parameter.name == r.alpha.name || parameter.name == r.weight.name || parameter.name == r.bias.name;
    });
  };
  for (const nn::Parameter& parameter : all) {
    views.push_back(later(parameter) ? nn::part(parameter.value, 0, 0) : bands_.live(parameter, subnet));
  }
  return views;
}

std::unique_ptr<ElasticModel> Thinking::extract(const Subnet& subnet) const {
  ThinkingConfig c = config_;
  c.stages.resize(stage(subnet) + 1);
  c.classifiers = "shared";  // the last stage's own one
  auto model = std::make_unique<Thinking>(c, 0);
  copy_part(*this, subnet, *model);
  return model;
}

}  // namespace hv::models
