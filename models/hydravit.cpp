#include "models/hydravit.h"

namespace hv::models {

HydraViT::HydraViT(const HydraViTConfig& c, uint64_t seed)
    // The same checks as for a configuration read from a file; braces, so that they come before all else.
    : StackedVit{"hydravit", from_config(to_config(c)), c.head_dim, bands_of(c), seed}, config_(c), subnets_(subnets_of(c)) {}

Tensor HydraViT::forward(const Tensor& images, int64_t heads) {
  const Subnet& k = subnet(static_cast<double>(heads));  // an error if there is none
  // The CLS token decides: [B, p] -> [B, classes].
  return head_(encode(embed(images, heads * config_.head_dim), nn::first_token), k.id);
}

Tensor HydraViT::rollout(const Tensor& images, const Subnet& subnet) {
  const NoGrad off;
  return rollout_from(embed(images, heads(subnet) * config_.head_dim));
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
