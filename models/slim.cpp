#include "models/slim.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/part.h"
#include "nn/probe.h"

namespace hv::models {
namespace {

// x W^T + b with the first `out` rows of W, and as many columns as x has.
nn::Lazy leading(const nn::Lazy& x, const nn::Parameter& weight, const nn::Parameter& bias, int64_t out) {
  const Tensor rows = nn::part(weight.value, 0, out);
  return nn::lazy_linear(x, nn::part(rows, 1, x.shape()[-1]), nn::part(bias.value, 0, out));
}

// What each budget adds to the one before it, by head.
std::vector<std::vector<int64_t>> added(const std::vector<std::vector<int64_t>>& sizes) {
  std::vector<std::vector<int64_t>> more = sizes;
  for (size_t b = 1; b < sizes.size(); ++b) {
    for (size_t h = 0; h < sizes[b].size(); ++h) more[b][h] -= sizes[b - 1][h];
  }
  return more;
}

}  // namespace

SlimBlock::SlimBlock(const SlimConfig& c, const std::vector<std::vector<int64_t>>& heads, const std::vector<int64_t>& hidden,
                     double drop_path, nn::Init& init)
    : hidden_(hidden), norm1_(c.width), norm2_(c.width), drop_(c.dropout), drop_path_(drop_path) {
  const std::vector<std::vector<int64_t>> pieces = added(heads);
  for (size_t b = 0; b < heads.size(); ++b) {
    const auto last = pieces.begin() + static_cast<std::ptrdiff_t>(b) + 1;
    const auto table = std::make_shared<HeadTable>(std::vector<std::vector<int64_t>>(pieces.begin(), last));
    layouts_.emplace_back(table, 1 / std::sqrt(static_cast<double>(c.head_dim)));
    width_.push_back(table->width);
  }
  const int64_t e = c.width, h = width_.back(), m = hidden.back();
  add_child("norm1", norm1_);
  qkv_ = add_parameter("attn.qkv.weight", init.weight({3 * h, e}, e));
  qkv_bias_ = add_parameter("attn.qkv.bias", init.bias(3 * h, e), {}, false);
  proj_ = add_parameter("attn.proj.weight", init.weight({e, h}, std::max<int64_t>(h, 1)));
  proj_bias_ = add_parameter("attn.proj.bias", init.bias(e, std::max<int64_t>(h, 1)), {}, false);
  add_child("norm2", norm2_);
  fc1_ = add_parameter("mlp.fc1.weight", init.weight({m, e}, e));
  fc1_bias_ = add_parameter("mlp.fc1.bias", init.bias(m, e), {}, false);
  fc2_ = add_parameter("mlp.fc2.weight", init.weight({e, m}, std::max<int64_t>(m, 1)));
  fc2_bias_ = add_parameter("mlp.fc2.bias", init.bias(e, std::max<int64_t>(m, 1)), {}, false);
  add_child("drop", drop_);
  add_child("drop_path", drop_path_);
}

// y = x + proj(attention(qkv(norm1(x)))), then y + fc2(gelu(fc1(norm2(y))))
Tensor SlimBlock::forward(const Tensor& x, int64_t budget, const Tensor& mask, const nn::Keep& keep) const {
  const auto b = static_cast<size_t>(budget);
  const int64_t h = width_[b], m = hidden_[b], e = x.size(2);
  Tensor y = keep(x);
  if (h > 0) {
    const nn::Lazy normed = mask.defined() ? nn::Lazy(Tensor(norm1_(x)) * mask) : norm1_(x);
    const Tensor mixed = nn::probed_attention(leading(normed, qkv_, qkv_bias_, 3 * h), layouts_[b]);  // [B, T, 3H] -> [B, T, H]
    y = y + drop_path_(drop_(leading(keep(mixed), proj_, proj_bias_, e)));
  } else {
    y = y + proj_bias_.value;
  }
  if (m == 0) return y + fc2_bias_.value;
  const nn::Lazy normed = mask.defined() ? nn::Lazy(Tensor(norm2_(y)) * (y.rank() == 3 ? mask : mask.select(0, 0))) : norm2_(y);
  const Tensor units = leading(normed, fc1_, fc1_bias_, m);
  return y + drop_path_(drop_(leading(drop_(nn::gelu(units)), fc2_, fc2_bias_, e)));
}

Tensor SlimBlock::attention_of(const Tensor& x, int64_t budget, const Tensor& mask) const {
  const auto b = static_cast<size_t>(budget);
  if (width_[b] == 0) return {};
  const nn::Lazy normed = mask.defined() ? nn::Lazy(Tensor(norm1_(x)) * mask) : norm1_(x);
  return attention_probabilities(leading(normed, qkv_, qkv_bias_, 3 * width_[b]), layouts_[b]);
}

std::vector<Tensor> SlimBlock::active(int64_t budget) const {
  const auto b = static_cast<size_t>(budget);
  const int64_t h = width_[b], m = hidden_[b];
  std::vector<Tensor> views;
  for (const nn::Parameter& p : parameters()) views.push_back(p.value);
  views[0] = nn::part(views[0], 0, 3 * h);  // qkv
  views[1] = nn::part(views[1], 0, 3 * h);
  views[2] = nn::part(views[2], 1, h);  // proj
  views[4] = nn::part(views[4], 0, m);  // fc1
  views[5] = nn::part(views[5], 0, m);
  views[6] = nn::part(views[6], 1, m);  // fc2
  return views;
}

// The weights of one budget, with the pieces of each head put together.
std::vector<Tensor> SlimBlock::alone(int64_t budget) const {
  std::vector<Tensor> parts = active(budget);
  std::vector<int64_t> rows, columns;
  for (const std::vector<HeadTable::Piece>& pieces : layouts_[static_cast<size_t>(budget)].table->heads) {
    for (int64_t which = 0; which < 3; ++which) {
      for (const auto& [qkv, out, size] : pieces) {
        for (int64_t i = 0; i < size; ++i) rows.push_back(qkv + which * size + i);
      }
    }
    for (const auto& [qkv, out, size] : pieces) {
      for (int64_t i = 0; i < size; ++i) columns.push_back(out + i);
    }
  }
  parts[0] = index_select(parts[0], 0, rows);
  parts[1] = index_select(parts[1], 0, rows);
  parts[2] = index_select(parts[2], 1, columns);
  return parts;
}

Slim::Slim(const SlimConfig& config, uint64_t seed)
    : config_(slim_from_config(to_config(config))),
      costs_(costs_of(config_)),
      init_(config_.init, seed),
      patch_embed_(config_.channels, config_.patch, config_.width, init_),
      pos_drop_(config_.dropout),
      norm_(config_.width),
      head_(config_.width, config_.classes, init_) {
  const SlimConfig& c = config_;
  for (const Cost& cost : costs_) subnets_.push_back(cost.subnet);
  cls_token_ = add_parameter("cls_token", init_.normal({1, 1, c.width}, 1e-6), {}, false);
  pos_embed_ = add_parameter("pos_embed", init_.trunc_normal({1, c.patches() + 1, c.width}, 0.02), {}, false);
  add_child("patch_embed", patch_embed_);
  add_child("pos_drop", pos_drop_);
  const std::vector<SlimSizes> sizes = c.sizes();
  const std::vector<int64_t> lives = c.lives();
  std::vector<int64_t> before(lives.size());
  std::iota(before.begin(), before.end(), 0);
  for (size_t i = 0; i < static_cast<size_t>(c.depth); ++i) {
    std::vector<std::vector<int64_t>> heads;
    std::vector<int64_t> hidden;
    for (const SlimSizes& budget : sizes) {
      heads.push_back(budget.heads[i]);
      hidden.push_back(budget.hidden[i]);
    }
    const double path = c.depth > 1 ? c.drop_path * (static_cast<double>(i) / static_cast<double>(c.depth - 1)) : 0;
    blocks_.push_back(std::make_unique<SlimBlock>(c, heads, hidden, path, init_));
    add_child(concat("blocks.", i), *blocks_.back());
    std::vector<int64_t> alive, places;
    for (size_t k = 0; k < before.size(); ++k) {
      if (lives[static_cast<size_t>(before[k])] <= static_cast<int64_t>(i)) continue;
      alive.push_back(before[k]);
      places.push_back(static_cast<int64_t>(k));
    }
    Tensor mask;
    if (c.tokens_by == "masked" && alive.size() < lives.size()) {
      mask = Tensor::zeros({std::ssize(lives), 1});
      for (const int64_t t : alive) mask.mutable_data()[t] = 1;
    }
    const bool go = c.tokens_by == "removed" && alive.size() < before.size();
    places_.push_back(go ? places : std::vector<int64_t>{});
    masks_.push_back(mask);
    alive_.push_back(alive);
    before = std::move(alive);
  }
  add_child("norm", norm_);
  add_child("head", head_);
}

Tensor Slim::embed(const Tensor& images) const {
  check_images("slim", images, config_);
  const Tensor cls = cls_token_.value(0, 0), positions = pos_embed_.value.select(0, 0);
  return pos_drop_(embed_tokens(patch_embed_(images, config_.width), cls, positions));  // [B, T, E]
}

std::vector<int64_t> Slim::leaving(size_t block, int64_t batch) const {
  std::vector<int64_t> index;
  for (int64_t b = 0; b < batch; ++b) index.insert(index.end(), places_[block].begin(), places_[block].end());
  return index;
}

Tensor Slim::forward(const Tensor& images, const Subnet& subnet) {
  Tensor x = nn::probe_begin(embed(images), 1);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (!places_[i].empty()) {
      const std::vector<int64_t> index = leaving(i, images.size(0));
      x = gather_tokens(x, index, std::ssize(places_[i]));
      nn::probe_picks(index, x.size(1));
    }
    const bool last = i + 1 == blocks_.size();
    x = blocks_[i]->forward(x, subnet.id, masks_[i], last ? nn::Keep(nn::first_token) : nn::Keep(nn::all_tokens));
  }
  return head_(norm_(x));  // [B, E] -> [B, classes]
}

Tensor Slim::rollout(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  Tensor x = embed(images);
  Rollout flow(x);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (!places_[i].empty()) {
      const std::vector<int64_t> index = leaving(i, images.size(0));
      x = gather_tokens(x, index, std::ssize(places_[i]));
      flow.keep(index, x.size(1));
    }
    // A block without heads mixes nothing.
    if (const Tensor maps = blocks_[i]->attention_of(x, subnet.id, masks_[i]); maps.defined()) flow.mix(maps);
    x = blocks_[i]->forward(x, subnet.id, masks_[i], nn::all_tokens);
  }
  return flow.shares(1, config_.image / config_.patch);
}

// After each block that some tokens do not outlive.
std::vector<Tensor> Slim::survivors(const Tensor& images, const Subnet&) {
  std::vector<Tensor> all;
  const int64_t side = config_.image / config_.patch, batch = images.size(0);
  size_t before = static_cast<size_t>(side * side) + 1;
  for (const std::vector<int64_t>& alive : alive_) {
    if (alive.size() == before) continue;
    before = alive.size();
    Tensor here = Tensor::zeros({batch, side, side});
    for (int64_t b = 0; b < batch; ++b) {
      for (const int64_t t : alive) {
        if (t > 0) here.mutable_data()[b * side * side + t - 1] = 1;
      }
    }
    all.push_back(here);
  }
  return all;
}

std::vector<Tensor> Slim::active(const Subnet& subnet) const {
  std::vector<Tensor> views;
  for (const nn::Parameter& p : parameters()) views.push_back(p.value);
  size_t at = 2 + patch_embed_.parameters().size();  // where the blocks' begin
  for (const auto& block : blocks_) {
    for (const Tensor& view : block->active(subnet.id)) views[at++] = view;
  }
  return views;
}

std::unique_ptr<ElasticModel> Slim::extract(const Subnet& subnet) const {
  const NoGrad off;
  SlimConfig c = config_;
  const auto b = static_cast<size_t>(subnet.id);
  c.set({config_.shares()[b]}, {config_.sizes()[b]});
  auto model = std::make_unique<Slim>(c);
  std::vector<Tensor> parts = active(subnet);
  size_t at = 2 + patch_embed_.parameters().size();
  for (const auto& block : blocks_) {
    for (const Tensor& part : block->alone(subnet.id)) parts[at++] = part;
  }
  const std::vector<nn::Parameter> own = model->parameters();
  for (size_t i = 0; i < own.size(); ++i) own[i].value.copy_(parts[i]);
  return model;
}

}  // namespace hv::models
