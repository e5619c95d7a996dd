#include "models/vit.h"

namespace hv::models {
namespace {

constexpr int64_t kMostTokens = 4096;                  // patches; with this many, scores are 64 MiB per head
constexpr int64_t kMostParameters = int64_t{1} << 29;  // 2 GiB of weights

}  // namespace

// The bounds of the fields keep every number on the way here below 2^63.
void check_vit(const VitConfig& c, int64_t first_tokens, int64_t parameters) {
  HV_CHECK_INPUT(nn::Init::known(c.init), "model: init: unknown style '", c.init, "'; known: trunc_normal, reference");
  HV_CHECK_INPUT(c.image % c.patch == 0, "model: the patch must divide the image: ", c.patch, " and ", c.image);
  HV_CHECK_INPUT(c.patches() <= kMostTokens, "model: too many tokens: ", c.patches() + first_tokens, ", at most ",
                 kMostTokens + first_tokens);
  HV_CHECK_INPUT(parameters <= kMostParameters, "model: too large: ", parameters, " parameters, at most ", kMostParameters);
}

void check_images(const char* model, const Tensor& images, const VitConfig& c) {
  HV_CHECK(images.rank() == 4 && images.size(1) == c.channels && images.size(2) == c.image && images.size(3) == c.image, model,
           ": images ", images.shape(), ", expected [B, ", c.channels, ", ", c.image, ", ", c.image, "]");
}

int64_t vit_params(const VitConfig& c, const VitShape& v) {
  const int64_t e = v.width, r = c.mlp_ratio, s = v.first_tokens, t = s + c.patches();
  const int64_t embedding = e * c.channels * c.patch * c.patch + e + s * e + t * e;  // kernel, bias, first tokens, positions
  const int64_t attention = 4 * e * e + 4 * e, mlp = 2 * r * e * e + r * e + e, norms = 4 * e;
  return embedding + c.depth * (attention + mlp + norms) + 2 * e + v.outputs * (e * c.classes + c.classes);
}

// N E C P^2 + L (T (4 + 2r) E^2 + 2 T^2 E) + E K
int64_t vit_macs(const VitConfig& c, const VitShape& v) {
  const int64_t e = v.width, n = c.patches(), t = v.first_tokens + n;
  return n * e * c.channels * c.patch * c.patch + c.depth * (t * (4 + 2 * c.mlp_ratio) * e * e + 2 * t * t * e) +
         v.outputs * e * c.classes;
}

// Two a block and the last: (2L + 1) T E numbers.
int64_t vit_norm_macs(const VitConfig& c, const VitShape& v) {
  return 5 * (2 * c.depth + 1) * (v.first_tokens + c.patches()) * v.width;
}

// One block at a time is live in a forward pass, all of them are in a training step. The factors are upper bounds of what the
// tensor pool was measured to hold (tests/test_need.cpp).
Need vit_need(const VitConfig& c, const VitShape& v) {
  const double t = static_cast<double>(v.first_tokens + c.patches()), h = static_cast<double>(v.heads);
  const double d = static_cast<double>(v.width / v.heads), r = static_cast<double>(c.mlp_ratio);
  const double depth = static_cast<double>(c.depth), pixels = static_cast<double>(c.image * c.image * c.channels);
  const double x = t * h * d, logits = static_cast<double>(c.classes * v.outputs);
  const double sums = 2 * h * (t + 16), scores = t * (t + 16);  // rows of scores are whole vectors
  Need need;
  need.forward = pixels + (6 + 2 * r) * x + sums + 2 * logits;
  need.training = 2 * pixels + (depth + 1) * ((6 + 1.5 * r) * x + sums) + 4 * logits;
  need.rollout = need.forward + (3 * h + 4) * t * t;
  need.thread = 2 * scores + 4 * d * (t + 16) + (1 << 16);
  // A score costs an exponential and its memory. If the scores of a head exceed a cache, the columns of v that are no whole
  // vector cost a cache miss per score each. Measured with two threads of AVX-512.
  const double columns = t > 1024 ? static_cast<double>(v.width / v.heads % 16) : 0;
  need.work = static_cast<double>(vit_macs(c, v)) + depth * h * t * t * (100 + 250 * columns);
  need.rollout_work = need.work + depth * t * t * (t + 100 * h);  // the product of the blocks' maps, and each head's map
  return need;
}

Cost vit_cost(const Subnet& subnet, const VitConfig& c, const VitShape& v) {
  const int64_t macs = vit_macs(c, v);
  return {subnet, vit_params(c, v), macs, macs + vit_norm_macs(c, v), vit_need(c, v)};
}

PlainVit plain_of(const VitConfig& c, const VitShape& v) {
  PlainVit vit;
  vit.image = c.image;
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
  to.image = from.image;
  to.patch = from.patch;
  to.channels = from.channels;
  to.depth = from.depth;
  to.mlp_ratio = from.mlp_ratio;
  to.classes = from.classes;
  to.classifiers = "shared";  // of one width
}

std::vector<std::unique_ptr<nn::Block>> vit_blocks(const VitConfig& c, nn::BlockConfig block, nn::Init& init) {
  std::vector<std::unique_ptr<nn::Block>> blocks;
  block.hidden = c.mlp_ratio * block.width;
  block.dropout = c.dropout;
  for (int64_t i = 0; i < c.depth; ++i) {
    block.drop_path = c.depth > 1 ? c.drop_path * (static_cast<double>(i) / static_cast<double>(c.depth - 1)) : 0;
    blocks.push_back(std::make_unique<nn::Block>(block, init));
  }
  return blocks;
}

Tensor vit_rollout(const std::vector<std::unique_ptr<nn::Block>>& blocks, Tensor x, int64_t side) {
  const NoGrad off;
  const int64_t b = x.size(0), t = x.size(1);
  Tensor flow;                              // [B, T, T]: where the content of each token came from
  Tensor residual = Tensor::zeros({t, t});  // I
  Real* const ones = residual.mutable_data();
  for (int64_t i = 0; i < t; ++i) ones[i * t + i] = 1;
  for (const auto& block : blocks) {
    const Tensor mixing = (mean(block->attention(x), {1}) + residual) * 0.5;  // the heads' mean: [B, T, T]
    flow = flow.defined() ? matmul(mixing, flow) : mixing;
    x = block->forward(x);
  }
  const Tensor patches = flow.select(1, 0).slice(1, 1, t);  // [B, N]
  return (patches / sum(patches, {1}, true)).reshape({b, side, side});
}

void copy_part(const ElasticModel& from, const Subnet& subnet, const ElasticModel& to) {
  const NoGrad off;
  std::vector<Tensor> parts = from.active(subnet);
  std::erase_if(parts, [](const Tensor& part) { return part.numel() == 0; });  // `to` lacks what is unused
  const std::vector<nn::Parameter> own = to.parameters();
  HV_CHECK(own.size() == parts.size(), "extract: ", own.size(), " parameters, expected ", parts.size());
  for (size_t i = 0; i < own.size(); ++i) own[i].value.copy_(parts[i]);
}

}  // namespace hv::models
