#include "models/thinking.h"

#include <algorithm>

#include "nn/part.h"

namespace hv::models {

Thinking::Thinking(const ThinkingConfig& c, uint64_t seed)
    : StackedVit{thinking_from_config(to_config(c)), {"thinking", c.head_dim, bands_of(c), costs_of(c)}, seed}, config_(c) {
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
  const int64_t p = c.width(stage);  // the only place that chooses the width
  const Tensor x = embed(images, subnet(stage));
  if (stage == 0) return x;
  const Shape expected{images.size(0), c.tokens(), c.width(stage - 1)};
  HV_CHECK(before.defined() && before.shape() == expected, "thinking: stage ", stage, " goes on from tokens ", expected,
           ", found ", before.defined() ? concat(before.shape()) : "none: run the stage before it first");
  // alpha is multiplied into the map, which is smaller than the tokens: x + t (alpha W)^T + alpha b is one product.
  const Recall& recall = recalls_[stage - 1];
  const Tensor& alpha = recall.alpha.value;
  return linear(before, nn::live(recall.weight, p, full()) * alpha, nn::live(recall.bias, p, full()) * alpha, x);
}

Tensor Thinking::look_once(const Tensor& images, size_t stage, const Tensor& before, const nn::Keep& keep) {
  return encode(begin(images, stage, before), subnet(stage), keep);
}

Tensor Thinking::tokens_before(const Tensor& images, size_t stage) {
  Tensor tokens;
  for (size_t s = 0; s < stage; ++s) tokens = look_once(images, s, tokens, nn::all_tokens);
  return tokens;
}

nn::Lazy Thinking::features(const Tensor& images, const Subnet& subnet, const nn::Keep& keep) {
  const size_t s = stage(subnet);
  return look_once(images, s, tokens_before(images, s), keep);
}

Look Thinking::look(const Tensor& images, const Subnet& subnet, const Look& before) {
  const size_t s = stage(subnet);
  if (s + 1 == subnets().size()) return {classify(look_once(images, s, before.memory, nn::first_token), subnet), {}};
  const Tensor tokens = look_once(images, s, before.memory, nn::all_tokens);  // the next stage reads all of them
  return {classify(nn::first_token(tokens), subnet), tokens};
}

Tensor Thinking::rollout(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  const size_t s = stage(subnet);
  return rollout_from(begin(images, s, tokens_before(images, s)), subnet);
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
    views.push_back(later(parameter) ? nn::part(parameter.value, 0, 0) : bands().live(parameter, subnet));
  }
  return views;
}

std::unique_ptr<ElasticModel> Thinking::extract(const Subnet& subnet) const {
  ThinkingConfig c = config_;
  c.stages.resize(stage(subnet) + 1);
  c.classifiers = "shared";  // the last stage's own one
  auto model = std::make_unique<Thinking>(c, 0);
  copy_part(active(subnet), *model);
  return model;
}

}  // namespace hv::models
