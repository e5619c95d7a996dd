#include "nn/transformer.h"

#include <cmath>

#include "nn/part.h"
#include "nn/probe.h"

namespace hv::nn {

MultiHeadAttention::MultiHeadAttention(int64_t width, const Heads& heads, double dropout, Init& init, Elastic elastic)
    : heads_(heads), qkv_(width, 3 * width, init, elastic), proj_(width, width, init, elastic), drop_(dropout) {
  add_child("qkv", qkv_);
  add_child("proj", proj_);
  add_child("drop", drop_);
}

Lazy MultiHeadAttention::mix(const Tensor& qkv, const Keep& keep) const {
  return drop_(proj_(keep(probed_attention(qkv, heads_.at(qkv.size(2) / 3)))));  // [B, T, 3p] -> [B, T, p] -> kept rows of p
}

Tensor MultiHeadAttention::probabilities(const Lazy& x) const {
  const NoGrad off;
  return attention_probabilities(qkv_(x), heads_.at(x.shape()[-1]));
}

Mlp::Mlp(int64_t width, int64_t hidden, double dropout, Init& init, Elastic elastic)
    : fc1_(width, hidden, init, elastic), fc2_(hidden, width, init, elastic), drop_(dropout) {
  add_child("fc1", fc1_);
  add_child("fc2", fc2_);
  add_child("drop", drop_);
}

Lazy Mlp::operator()(const Lazy& x) const { return drop_(fc2_(drop_(gelu(fc1_(x))))); }

Block::Block(const BlockConfig& c, Init& init)
    : norm1_(c.width, c.elastic, c.eps),
      attn_(c.width, c.heads, c.dropout, init, c.elastic),
      norm2_(c.width, c.elastic, c.eps),
      mlp_(c.width, c.hidden, c.dropout, init, c.elastic),
      scale1_(c.width, c.layer_scale, c.elastic),
      scale2_(c.width, c.layer_scale, c.elastic),
      drop_path_(c.drop_path) {
  add_child("norm1", norm1_);
  add_child("attn", attn_);
  add_child("norm2", norm2_);
  add_child("mlp", mlp_);
  add_child("drop_path", drop_path_);
  add_child("ls1", scale1_);
  add_child("ls2", scale2_);
}

Tensor Block::forward(const Tensor& x, const Keep& keep) const { return from_qkv(x, attn_.qkv(norm1_(x)), keep); }

Tensor Block::from_qkv(const Tensor& x, const Tensor& qkv, const Keep& keep) const {
  const Tensor y = keep(x) + drop_path_(scale1_(attn_.mix(qkv, keep)));
  return y + drop_path_(scale2_(mlp_(norm2_(y))));
}

// Tokens are gathered before the projection, not after it as in the paper's code. A token's projection needs no other token,
// so the result is the same, and dropped tokens cost less.
Tensor Block::prune(const Tensor& x, int64_t first, int64_t others, std::vector<int64_t>* picked) const {
  const Tensor qkv = attn_.qkv(norm1_(x));
  const int64_t batch = x.size(0), kept = first + others;
  const std::vector<int64_t> best = top_tokens(attn_.cls_row(qkv).slice(1, first, x.size(1)), others);
  std::vector<int64_t> index;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t s = 0; s < first; ++s) index.push_back(s);
    for (int64_t i = 0; i < others; ++i) index.push_back(first + best[static_cast<size_t>(b * others + i)]);
  }
  const Tensor y = from_qkv(x, qkv, [&](const Tensor& tokens) { return gather_tokens(tokens, index, kept); });
  probe_picks(index, kept);
  if (picked) *picked = std::move(index);
  return y;
}

std::vector<StemConv> stem_convs(int64_t image_channels, int64_t patch, int64_t channels) {
  std::vector<StemConv> convs;
  if (channels == 0) return convs;
  for (int64_t p = patch; p > 2; p /= 2) convs.push_back({0, channels / (p / 4)});
  for (size_t i = 0; i < convs.size(); ++i) convs[i].in = i == 0 ? image_channels : convs[i - 1].out;
  return convs;
}

PatchEmbed::PatchEmbed(int64_t channels, int64_t patch, int64_t width, Init& init, int64_t stem_channels) : patch_(patch) {
  for (const StemConv& conv : stem_convs(channels, patch, stem_channels)) {
    const std::string name = concat("stem.", stem_.size());
    const int64_t inputs = 9 * conv.in;
    // He et al. 2015. The norm's shift is the bias.
    const Tensor weight = init.normal({conv.out, conv.in, 3, 3}, std::sqrt(2 / static_cast<double>(inputs)));
    stem_.push_back({add_parameter(name + ".weight", weight),
                     add_parameter(name + ".norm.weight", Tensor::ones({conv.out}), {}, false),
                     add_parameter(name + ".norm.bias", Tensor::zeros({conv.out}), {}, false)});
    channels = conv.out;
    patch_ /= 2;
  }
  const int64_t fan_in = channels * patch_ * patch_;
  weight_ = add_parameter("proj.weight", init.weight({width, channels, patch_, patch_}, fan_in), {true, false, false, false});
  bias_ = add_parameter("proj.bias", init.bias(width, fan_in), {true}, false);
}

Tensor PatchEmbed::operator()(const Tensor& images, int64_t width) const {
  const int64_t full = bias_.value.size(0);
  const Tensor weight = live(weight_, width, full).view({width, -1});  // [p, C P P]
  Tensor x = images;
  for (const auto& [kernel, gain, shift] : stem_) {
    x = hv::gelu(channel_norm(conv2d(x, kernel.value, {}, 2, 1), gain.value, shift.value));
  }
  return linear(patchify(x, patch_), weight, live(bias_, width, full));
}

}  // namespace hv::nn
