#include "models/slim_search.h"

#include "models/config_reader.h"
#include "nn/part.h"

namespace hv::models {
namespace {

// One list of the fields, for both directions.
template <class C, class Visit>
void visit_fields(C& c, Visit& visit) {
  visit_vit(c, visit);
  visit("heads", c.heads, 1, 256);
  visit("head_dim", c.head_dim, 1, 1024);
  visit("attention", c.attention);
  visit("masks", c.masks);
}

SlimFamilies families_of(const SlimSearchConfig& c) {
  SlimFamilies found;
  std::string rest = c.masks + ",";
  for (size_t end = rest.find(','); end != std::string::npos; end = rest.find(',')) {
    const std::string name = rest.substr(0, end);
    rest = rest.substr(end + 1);
    bool* const family = name == "attention" ? &found.attention
                         : name == "mlp"     ? &found.mlp
                         : name == "tokens"  ? &found.tokens
                                             : nullptr;
    HV_CHECK_INPUT(family && !*family,
                   "model: masks: expected attention, mlp and tokens, or some of them, as attention,mlp; found '", c.masks,
                   "'");
    *family = true;
  }
  return found;
}

Shape zeta_shape(const SlimSearchConfig& c) {
  return {1, 1, c.attention == "shared" ? 1 : c.heads, 1, c.attention == "heads" ? 1 : c.head_dim};
}

VitShape shape_of(const SlimSearchConfig& c) { return {.width = c.width(), .heads = c.heads}; }

int64_t mask_count(const SlimSearchConfig& c) {
  const SlimFamilies masks = families_of(c);
  return c.depth * ((masks.attention ? numel(zeta_shape(c)) : 0) + (masks.mlp ? c.mlp_ratio * c.width() : 0) +
                    (masks.tokens ? c.patches() + 1 : 0));
}

Cost cost_of(const SlimSearchConfig& c) {
  Cost cost = vit_cost({"full", "full", 0, {{"dim", static_cast<double>(c.width()), false}}}, c, shape_of(c));
  cost.params += mask_count(c);
  // Each norm's output before and after its mask. Per pass, not per image: masked weights and their gradients.
  const double depth = static_cast<double>(c.depth), e = static_cast<double>(c.width());
  const double tokens = static_cast<double>(c.patches() + 1) * e;
  cost.need.forward += 2 * tokens;
  cost.need.training += 4 * (depth + 1) * tokens;
  cost.need.thread += 2 * depth * (3 + static_cast<double>(c.mlp_ratio)) * e * e;
  return cost;
}

// preset      img  P   L  head_dim heads ratio classes   the shapes of nano, cifar and deit, at full width
// slim-nano    32   4   4  16       6     2     10
// slim-cifar   32   4   7  32       8     2     10
// slim-deit   224  16  12  64       12    4     1000
SlimSearchConfig nano() {
  SlimSearchConfig c;
  c.depth = 4;
  c.heads = 6;
  c.head_dim = 16;
  return c;
}
SlimSearchConfig deit() {
  SlimSearchConfig c;
  c.image = 224;
  c.patch = 16;
  c.depth = 12;
  c.heads = 12;
  c.head_dim = 64;
  c.mlp_ratio = 4;
  c.classes = 1000;
  return c;
}

}  // namespace

Config to_config(const SlimSearchConfig& c) {
  ConfigWriter write{{{"model", "slim-search"}}};
  visit_fields(c, write);
  return write.out;
}

SlimSearchConfig slim_search_from_config(const Config& config) {
  SlimSearchConfig c;
  ConfigReader read(config, "slim-search");
  visit_fields(c, read);
  HV_CHECK_INPUT(c.classifiers == "shared", "model: classifiers: expected shared, found '", c.classifiers, "'");
  HV_CHECK_INPUT(c.stem == "patch", "model: stem: expected patch, found '", c.stem, "'");
  HV_CHECK_INPUT(c.attention == "head-dims" || c.attention == "heads" || c.attention == "shared",
                 "model: attention: expected head-dims, heads or shared, found '", c.attention, "'");
  families_of(c);
  check_vit(c, 1, vit_params(c, shape_of(c)) + mask_count(c));
  read.finish();
  return c;
}

MaskedBlock::MaskedBlock(const SlimSearchConfig& c, const SlimFamilies& masks, double drop_path, nn::Init& init)
    : heads_(c.heads),
      head_dim_(c.head_dim),
      norm1_(c.width()),
      norm2_(c.width()),
      qkv_(c.width(), 3 * c.width(), init),
      proj_(c.width(), c.width(), init),
      fc1_(c.width(), c.mlp_ratio * c.width(), init),
      fc2_(c.mlp_ratio * c.width(), c.width(), init),
      qkv_weight_(qkv_.parameter("weight")),
      qkv_bias_(qkv_.parameter("bias")),
      fc2_weight_(fc2_.parameter("weight")),
      fc2_bias_(fc2_.parameter("bias")),
      drop_(c.dropout),
      drop_path_(drop_path) {
  if (masks.attention) zeta = add_parameter("attn.zeta", Tensor::ones(zeta_shape(c))).value;
  if (masks.tokens) patch_zeta = add_parameter("attn.patch_zeta", Tensor::full({1, c.patches() + 1, 1}, 3)).value;
  if (masks.mlp) hidden_zeta = add_parameter("mlp.zeta", Tensor::ones({1, 1, c.mlp_ratio * c.width()})).value;
  add_child("norm1", norm1_);
  add_child("attn.qkv", qkv_);
  add_child("attn.proj", proj_);
  add_child("norm2", norm2_);
  add_child("mlp.fc1", fc1_);
  add_child("mlp.fc2", fc2_);
  add_child("drop", drop_);
  add_child("drop_path", drop_path_);
}

// A token's mask multiplies a row of x, so it cannot become a part of the weights, as the others below.
Tensor MaskedBlock::masked(const nn::Lazy& normed, const nn::Keep& keep) const {
  if (!patch_zeta.defined()) return normed;
  return Tensor(normed) * keep(tanh(rests.tokens ? patch_zeta.detach() : patch_zeta));
}

// z (u W^T + b) = u (z W)^T + z b, and (s g) W^T = g (W s)^T, where s multiplies the columns of W. So these masks multiply
// weights and not activations: the same values from far fewer products, and GELU stays fused with fc2. A training step of
// slim-cifar takes 1.06 times one without masks, in place of 1.28 (batch 32, one thread, the least of four runs each).
Tensor MaskedBlock::forward(const Tensor& x, const nn::Keep& keep) const {
  const int64_t e = heads_ * head_dim_;
  Tensor weight = qkv_weight_, bias = qkv_bias_;
  if (zeta.defined()) {
    const Tensor z = (rests.attention ? zeta.detach() : zeta).view({zeta.size(2), 1, zeta.size(4), 1});
    weight = (weight.view({heads_, 3, head_dim_, e}) * z).view({3 * e, e});
    bias = (bias.view({heads_, 3, head_dim_, 1}) * z).view({3 * e});
  }
  const Tensor qkv = linear(masked(norm1_(x), nn::all_tokens), weight, bias);
  const Tensor y = keep(x) + drop_path_(drop_(proj_(keep(attention(qkv, head_dim_)))));
  Tensor out = fc2_weight_;
  if (hidden_zeta.defined()) out = out * (rests.mlp ? hidden_zeta.detach() : hidden_zeta).select(0, 0);
  return y + drop_path_(drop_(nn::lazy_linear(drop_(nn::gelu(fc1_(masked(norm2_(y), keep)))), out, fc2_bias_)));
}

SlimSearch::SlimSearch(const SlimSearchConfig& config, uint64_t seed)
    : config_(slim_search_from_config(to_config(config))),
      cost_(cost_of(config_)),
      subnets_({cost_.subnet}),
      init_(config_.init, seed),
      patch_embed_(config_.channels, config_.patch, config_.width(), init_),
      pos_drop_(config_.dropout),
      norm_(config_.width()),
      head_(config_.width(), config_.classes, init_) {
  const SlimSearchConfig& c = config_;
  cls_token_ = add_parameter("cls_token", init_.normal({1, 1, c.width()}, 1e-6), {}, false);
  pos_embed_ = add_parameter("pos_embed", init_.trunc_normal({1, c.patches() + 1, c.width()}, 0.02), {}, false);
  add_child("patch_embed", patch_embed_);
  add_child("pos_drop", pos_drop_);
  for (int64_t i = 0; i < c.depth; ++i) {
    const double path = c.depth > 1 ? c.drop_path * (static_cast<double>(i) / static_cast<double>(c.depth - 1)) : 0;
    blocks_.push_back(std::make_unique<MaskedBlock>(c, families_of(c), path, init_));
    add_child(concat("blocks.", i), *blocks_.back());
  }
  add_child("norm", norm_);
  add_child("head", head_);
}

Tensor SlimSearch::embed(const Tensor& images) const {
  check_images("slim-search", images, config_);
  const Tensor cls = cls_token_.value(0, 0), positions = pos_embed_.value.select(0, 0);
  return pos_drop_(embed_tokens(patch_embed_(images, config_.width()), cls, positions));
}

Tensor SlimSearch::forward(const Tensor& images, const Subnet&) {
  Tensor x = embed(images);
  for (const auto& block : blocks_) {
    x = block->forward(x, block == blocks_.back() ? nn::Keep(nn::first_token) : nn::Keep(nn::all_tokens));
  }
  return head_(norm_(x));  // [B, E] -> [B, classes]
}

std::vector<Tensor> SlimSearch::hidden(const Tensor& images) {
  const NoGrad off;
  std::vector<Tensor> all = {embed(images)};
  for (const auto& block : blocks_) all.push_back(block->forward(all.back(), nn::all_tokens));
  return all;
}

std::vector<Tensor> SlimSearch::active(const Subnet&) const {
  const SlimFamilies& rests = blocks_[0]->rests;
  std::vector<Tensor> all;
  for (const nn::Parameter& p : parameters()) {
    const bool tokens = p.name.ends_with("attn.patch_zeta"), mlp = p.name.ends_with("mlp.zeta");
    const bool attention = p.name.ends_with("attn.zeta");
    const bool rest = (attention && rests.attention) || (mlp && rests.mlp) || (tokens && rests.tokens);
    all.push_back(rest ? nn::part(p.value, 0, 0) : p.value);
  }
  return all;
}

void SlimSearch::rest(const SlimFamilies& families) {
  for (const auto& block : blocks_) block->rests = families;
}

std::unique_ptr<ElasticModel> SlimSearch::extract(const Subnet&) const {
  auto model = std::make_unique<SlimSearch>(config_);
  std::vector<Tensor> all;
  for (const nn::Parameter& p : parameters()) all.push_back(p.value);
  copy_part(all, *model);
  return model;
}

SlimMasks SlimSearch::masks() const {
  const NoGrad off;
  SlimMasks found;
  for (const auto& block : blocks_) {
    if (block->zeta.defined()) {
      const Tensor all = block->zeta.expand({1, 1, config_.heads, 1, config_.head_dim});
      found.heads.emplace_back();
      for (int64_t h = 0; h < config_.heads; ++h) found.heads.back().push_back(all.select(2, h).to_vector());
    }
    if (block->hidden_zeta.defined()) found.hidden.push_back(block->hidden_zeta.to_vector());
    if (block->patch_zeta.defined()) found.tokens.push_back(tanh(block->patch_zeta).to_vector());
  }
  return found;
}

SlimConfig SlimSearch::uncut() const {
  SlimConfig c;
  static_cast<VitConfig&>(c) = config_;
  c.width = config_.width();
  c.head_dim = config_.head_dim;
  return c;
}

namespace {

// Each budget for itself, as `slim cut` takes it for every family.
Ranking ranking_of(const SlimSearch& search, const std::vector<double>& budgets) {
  const SlimSearchConfig c = slim_search_from_config(search.config());
  const SlimMasks masks = search.masks();
  Ranking ranking;
  for (const double share : budgets) {
    const SlimPlan plan = plan_cut(search.uncut(), c.heads, masks, {{share, share, share}}, {share});
    LayerSizes kept = block_sizes(plan.config)[0];
    kept.axis = "budget";
    kept.value = shortest(share);
    const std::vector<std::pair<std::vector<double>, double>> families = {{flat(masks.heads), plan.thresholds[0].attention},
                                                                          {flat(masks.hidden), plan.thresholds[0].mlp},
                                                                          {flat(masks.tokens), plan.thresholds[0].tokens}};
    const bool first = ranking.families.empty();
    size_t at = 0;
    std::vector<LayerSizes::Part> parts;
    for (size_t f = 0; f < families.size(); ++f) {
      const auto& [values, threshold] = families[f];
      if (values.empty()) continue;  // not searched
      if (first) ranking.families.push_back({kept.parts[f].name, values});
      ranking.families[at++].thresholds.push_back(threshold);
      parts.push_back(kept.parts[f]);
    }
    kept.parts = parts;
    ranking.kept.push_back(kept);
  }
  return ranking;
}

}  // namespace

Kind slim_search_kind() {
  Kind kind{"slim-search",
            {{"slim-nano", to_config(nano())}, {"slim-cifar", to_config(SlimSearchConfig{})}, {"slim-deit", to_config(deit())}},
            {},
            {}};
  kind.settings = {{"attention",
                    "what has a mask: head-dims, heads, or shared: dimensions, the same in all heads of a block",
                    {"head-dims", "heads", "shared"}},
                   {"masks", "families that are searched: attention,mlp,tokens or some of them"}};
  kind.recipe = "slim";
  kind.costs = [](const Config& config) { return std::vector<Cost>{cost_of(slim_search_from_config(config))}; };
  kind.make = [](const Config& config, uint64_t seed) {
    return std::make_unique<SlimSearch>(slim_search_from_config(config), seed);
  };
  kind.ranking = [](const ElasticModel& model, const std::vector<double>& budgets) {
    return ranking_of(dynamic_cast<const SlimSearch&>(model), budgets);
  };
  // The transformer without its masks: what --init fills, and what `slim search` starts from.
  kind.plain = [](const Config& config, int64_t width, const View&) -> std::optional<PlainVit> {
    const SlimSearchConfig c = slim_search_from_config(config);
    if (width != 0 && width != c.width()) return {};
    PlainVit vit = plain_of(c, shape_of(c));
    vit.stacked = true;
    return vit;
  };
  return kind;
}

}  // namespace hv::models
