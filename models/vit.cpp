#include "models/vit.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "models/config_reader.h"
#include "nn/probe.h"

namespace hv::models {
namespace {

constexpr int64_t kMostTokens = 4096;  // patches; with this many, scores are 64 MiB per head

}  // namespace

int64_t VitConfig::stem_channels() const {
  if (stem == "patch") return 0;
  int64_t wanted = 0;
  const char* const end = stem.data() + stem.size();
  const bool conv = stem.starts_with("conv:");
  const auto [read, error] = std::from_chars(stem.data() + std::min<size_t>(5, stem.size()), end, wanted);
  HV_CHECK_INPUT(conv && error == std::errc() && read == end && wanted >= 1 && wanted <= 1024,
                 "model: stem: expected patch or conv:N with N from 1 to 1024 channels, as conv:64; found '", stem, "'");
  HV_CHECK_INPUT(
      patch >= 4 && std::has_single_bit(static_cast<uint64_t>(patch)) && wanted % (patch / 4) == 0,
      "model: stem: convolutions halve the image, so the patch must be 4, 8, 16, ... and a quarter of it must divide ", "the ",
      wanted, " channels; found ", patch);
  return wanted;
}

std::vector<Setting> image_settings() {
  return {{"image", "pixels of a side; pictures of other sizes are resized, CIFAR's are not"},
          {"patch", "pixels of a side of a patch"},
          {"stem", "what cuts images into patches: patch, one product; conv:64, convolutions of up to 64 channels before it"}};
}

// The bounds of the fields keep every number on the way here below 2^63.
void check_vit(const VitConfig& c, int64_t first_tokens, int64_t parameters) {
  HV_CHECK_INPUT(nn::Init::known(c.init), "model: init: unknown style '", c.init, "'; known: trunc_normal, reference");
  HV_CHECK_INPUT(c.image % c.patch == 0, "model: the patch must divide the image: ", c.patch, " and ", c.image);
  c.token_axes();  // an error if its entries are wrong
  c.stem_channels();
  HV_CHECK_INPUT(c.patches() <= kMostTokens, "model: too many tokens: ", c.patches() + first_tokens, ", at most ",
                 kMostTokens + first_tokens);
  HV_CHECK_INPUT(parameters <= kMostParameters, "model: too large: ", parameters, " parameters, at most ", kMostParameters);
}

void check_images(const char* model, const Tensor& images, const VitConfig& c) {
  HV_CHECK(images.rank() == 4 && images.size(1) == c.channels && images.size(2) == c.image && images.size(3) == c.image, model,
           ": images ", images.shape(), ", expected [B, ", c.channels, ", ", c.image, ", ", c.image, "]");
}

namespace {

int64_t patches_of(const VitConfig& c, const VitShape& v) { return c.patches(v.view.size > 0 ? v.view.size : c.image); }

// What the patch embedding of width e costs, convolutions included, on an image of so many patches.
struct EmbeddingCost {
  int64_t params = 0, macs = 0, numbers = 0;  // numbers: what the convolutions compute
};
EmbeddingCost embedding_cost(const VitConfig& c, int64_t e, int64_t patches) {
  EmbeddingCost cost;
  int64_t channels = c.channels, patch = c.patch;
  for (const nn::StemConv& conv : nn::stem_convs(c.channels, c.patch, c.stem_channels())) {
    patch /= 2;
    channels = conv.out;
    const int64_t weights = 9 * conv.in * conv.out, pixels = patches * patch * patch;
    cost.params += weights + 2 * conv.out;
    cost.macs += pixels * weights;
    cost.numbers += pixels * conv.out;
  }
  const int64_t kernel = e * channels * patch * patch;
  cost.params += kernel + e;
  cost.macs += patches * kernel;
  return cost;
}

}  // namespace

std::vector<TokenCounts> token_counts(const VitConfig& c, const VitShape& v) {
  int64_t tokens = v.first_tokens + patches_of(c, v);
  if (v.view.keep == 1) return std::vector<TokenCounts>(static_cast<size_t>(c.depth), {tokens, tokens});
  std::vector<TokenCounts> blocks;
  const TokenAxes axes = c.token_axes();
  for (int64_t i = 0; i < c.depth; ++i) {
    const int64_t in = tokens;
    if (axes.prunes(i)) tokens = v.first_tokens + others_kept(in, v.first_tokens, v.view.keep);
    blocks.push_back({in, tokens});
  }
  return blocks;
}

int64_t vit_params(const VitConfig& c, const VitShape& v) {
  const int64_t e = v.width, r = c.mlp_ratio, s = v.first_tokens, t = s + patches_of(c, v);
  const int64_t embedding = embedding_cost(c, e, 0).params + s * e + t * e;  // and first tokens, positions
  const int64_t attention = 4 * e * e + 4 * e, mlp = 2 * r * e * e + r * e + e, norms = 4 * e;
  return embedding + c.depth * (attention + mlp + norms) + 2 * e + v.outputs * (e * c.classes + c.classes);
}

// N E C P^2 (or the stem and N E S 4) + sum over blocks of (T 4 E^2 + 2 T^2 E + T' 2 r E^2) + E K, with T tokens in attention
// and T' in the MLP. As in SuperViT's code, all T tokens count as projected, although ours projects only T'.
int64_t vit_macs(const VitConfig& c, const VitShape& v) {
  const int64_t e = v.width;
  int64_t macs = embedding_cost(c, e, patches_of(c, v)).macs + v.outputs * e * c.classes;
  for (const auto& [in, out] : token_counts(c, v)) macs += 4 * in * e * e + 2 * in * in * e + 2 * c.mlp_ratio * out * e * e;
  return macs;
}

// Two norms per block, on T and T' tokens, and the last.
int64_t vit_norm_macs(const VitConfig& c, const VitShape& v) {
  int64_t rows = 0, last = 0;
  for (const auto& [in, out] : token_counts(c, v)) {
    rows += in + out;
    last = out;
  }
  return 5 * (rows + last) * v.width;
}

// One block at a time is live in a forward pass, all of them are in a training step. The factors are upper bounds of what the
// tensor pool was measured to hold (tests/test_need.cpp).
Need vit_need(const VitConfig& c, const VitShape& v) {
  const double t = static_cast<double>(v.first_tokens + patches_of(c, v)), h = static_cast<double>(v.heads);
  const double d = static_cast<double>(v.width / v.heads), r = static_cast<double>(c.mlp_ratio);
  const double depth = static_cast<double>(c.depth), pixels = static_cast<double>(c.image * c.image * c.channels);
  const double x = t * h * d, logits = static_cast<double>(c.classes * v.outputs);
  const double sums = 2 * h * (t + 16), scores = t * (t + 16);  // rows of scores are whole vectors
  // A resized copy of the images; in a pruning block its tokens, before and after, and the row of CLS.
  const bool resized = v.view.size > 0 && v.view.size != c.image;
  const double pruned = v.view.keep < 1 ? 3 * x + h * t : 0;
  const double images = pixels + (resized ? static_cast<double>(v.view.size * v.view.size * c.channels) : 0);
  const double stem = static_cast<double>(embedding_cost(c, v.width, patches_of(c, v)).numbers);
  Need need;
  need.forward = images + 3 * stem + (6 + 2 * r) * x + sums + pruned + 2 * logits;
  need.training = 2 * images + 6 * stem + (depth + 1) * ((6 + 1.5 * r) * x + sums + pruned) + 4 * logits;
  need.rollout = need.forward + (3 * h + 4) * t * t;
  need.thread = 2 * scores + 4 * d * (t + 16) + (1 << 16);
  // A score costs an exponential and its memory. If the scores of a head exceed a cache, the columns of v that are no whole
  // vector cost a cache miss per score each. Measured with two threads of AVX-512.
  const double columns = t > 1024 ? static_cast<double>(v.width / v.heads % 16) : 0;
  double squares = 0;  // T^2, summed over the blocks
  for (const auto& [in, out] : token_counts(c, v)) squares += static_cast<double>(in * in);
  need.work = static_cast<double>(vit_macs(c, v)) + squares * h * (100 + 250 * columns);
  need.rollout_work = need.work + depth * t * t * (t + 100 * h);  // the product of the blocks' maps, and each head's map
  return need;
}

Cost vit_cost(const Subnet& subnet, const VitConfig& c, const VitShape& v) {
  const int64_t macs = vit_macs(c, v);
  Cost cost{subnet, vit_params(c, v), macs, macs + vit_norm_macs(c, v), vit_need(c, v)};
  if (c.sizes.empty() && c.keep.empty()) return cost;
  const std::vector<TokenCounts> counts = token_counts(c, v);
  const TokenAxes axes = c.token_axes();
  cost.tokens = {counts[0].in};
  for (int64_t i = 0; i < c.depth && v.view.keep < 1; ++i) {
    if (axes.prunes(i)) cost.tokens.push_back(counts[static_cast<size_t>(i)].out);
  }
  return cost;
}

PlainVit plain_of(const VitConfig& c, const VitShape& v) {
  const TokenAxes axes = c.token_axes();
  const View last = axes.view(axes.views() - 1);
  PlainVit vit;
  vit.image = v.view.size > 0 ? v.view.size : last.size;
  vit.resized_from = vit.image == c.image ? 0 : c.image;
  vit.keep = v.view.keep > 0 ? v.view.keep : last.keep;
  vit.prune = axes.pruning_blocks();
  vit.patch = c.patch;
  vit.channels = c.channels;
  vit.depth = c.depth;
  vit.mlp_ratio = c.mlp_ratio;
  vit.classes = c.classes;
  vit.width = v.width;
  vit.heads = v.heads;
  vit.scale_dim = v.width / v.heads;
  vit.distilled = v.first_tokens == 2;
  return vit;
}

void put_plain(const PlainVit& from, VitConfig& to) {
  to.image = from.input();
  to.patch = from.patch;
  to.channels = from.channels;
  to.depth = from.depth;
  to.mlp_ratio = from.mlp_ratio;
  to.classes = from.classes;
  to.classifiers = "shared";  // of one width
  TokenConfig one;
  if (from.resized_from > 0) one.sizes = std::to_string(from.image);
  if (from.keep < 1) {
    one.keep = shortest(from.keep);
    if (!from.prune.empty()) one.prune = joined(from.prune);
  }
  static_cast<TokenConfig&>(to) = one;
}

Blocks vit_blocks(const VitConfig& c, nn::BlockConfig block, nn::Init& init) {
  Blocks blocks;
  block.hidden = c.mlp_ratio * block.width;
  block.dropout = c.dropout;
  for (int64_t i = 0; i < c.depth; ++i) {
    block.drop_path = c.depth > 1 ? c.drop_path * (static_cast<double>(i) / static_cast<double>(c.depth - 1)) : 0;
    blocks.push_back(std::make_unique<nn::Block>(block, init));
  }
  return blocks;
}

Tensor vit_block(const Blocks& blocks, int64_t i, const Tensor& x, const Pruning& how, std::vector<int64_t>* picked) {
  if (picked) picked->clear();
  const nn::Block& block = *blocks.at(static_cast<size_t>(i));
  if (!how.at(i)) return block.forward(x);
  return block.prune(x, how.first_tokens, others_kept(x.size(1), how.first_tokens, how.keep), picked);
}

Tensor vit_encode(const Blocks& blocks, Tensor x, const Pruning& how, const nn::Keep& keep) {
  const int64_t last = std::ssize(blocks) - 1;
  x = nn::probe_begin(x, how.first_tokens);
  for (int64_t i = 0; i < last; ++i) x = vit_block(blocks, i, x, how);
  return blocks.back()->forward(x, keep);
}

Tensor identity(int64_t t) {
  Tensor ones = Tensor::zeros({t, t});
  for (int64_t k = 0; k < t; ++k) ones.mutable_data()[k * t + k] = 1;
  return ones;
}

Rollout::Rollout(const Tensor& x) : flow_(identity(x.size(1)).expand({x.size(0), x.size(1), x.size(1)}).contiguous()) {}

void Rollout::mix(const Tensor& attention) {
  flow_ = matmul((mean(attention, {1}) + identity(attention.size(2))) * 0.5, flow_);  // of the heads' mean
}

void Rollout::keep(const std::vector<int64_t>& picked, int64_t left) { flow_ = gather_tokens(flow_, picked, left); }

Tensor Rollout::shares(int64_t first, int64_t side) const {
  const Tensor patches = flow_.select(1, 0).slice(1, first, flow_.size(2));  // [B, N]
  const Tensor all = sum(patches, {1}, true) + 1e-30;  // no block may have a head: then nothing is divided by nothing
  return (patches / all).reshape({flow_.size(0), side, side});
}

Tensor vit_rollout(const Blocks& blocks, Tensor x, int64_t side, const Pruning& how) {
  const NoGrad off;
  Rollout flow(x);
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < std::ssize(blocks); ++i) {
    flow.mix(blocks[static_cast<size_t>(i)]->attention(x));
    x = vit_block(blocks, i, x, how, &picked);
    if (!picked.empty()) flow.keep(picked, x.size(1));
  }
  return flow.shares(how.first_tokens, side);
}

std::vector<Tensor> vit_survivors(const Blocks& blocks, Tensor x, int64_t side, const Pruning& how) {
  const NoGrad off;
  const int64_t batch = x.size(0), first = how.first_tokens;
  std::vector<Tensor> all;
  Tensor places = Tensor::arange(x.size(1)).view({1, x.size(1), 1}).expand({batch, x.size(1), 1});  // where a token began
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < std::ssize(blocks); ++i) {
    x = vit_block(blocks, i, x, how, &picked);
    if (picked.empty()) continue;
    places = gather_tokens(places, picked, x.size(1));
    Tensor here = Tensor::zeros({batch, side, side});
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t k = first; k < x.size(1); ++k) {
        const auto place = static_cast<int64_t>(places.data()[b * x.size(1) + k]);
        here.mutable_data()[b * side * side + place - first] = 1;
      }
    }
    all.push_back(here);
  }
  return all;
}

void copy_part(std::vector<Tensor> parts, const ElasticModel& to) {
  const NoGrad off;
  std::erase_if(parts, [](const Tensor& part) { return part.numel() == 0; });  // `to` lacks what is unused
  const std::vector<nn::Parameter> own = to.parameters();
  HV_CHECK(own.size() == parts.size(), "extract: ", own.size(), " parameters, expected ", parts.size());
  for (size_t i = 0; i < own.size(); ++i) own[i].value.copy_(parts[i]);
}

}  // namespace hv::models
