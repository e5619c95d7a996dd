#include "models/hydravit.h"

namespace hv::models {

HydraViT::HydraViT(const HydraViTConfig& c, uint64_t seed)
    // The same checks as for a configuration read from a file; braces, so that they come before all else.
    : StackedVit{from_config(to_config(c)), {"hydravit", c.head_dim, bands_of(c), costs_of(c)}, seed}, config_(c) {}

std::unique_ptr<ElasticModel> HydraViT::extract(const Subnet& subnet) const {
  HydraViTConfig c = config_;
  c.heads = c.heads_min = width(subnet) / c.head_dim;
  c.classifiers = "shared";
  static_cast<TokenConfig&>(c) = token_config_of(c, view(subnet));
  auto model = std::make_unique<HydraViT>(c, 0);
  copy_to(*model, subnet);
  return model;
}

}  // namespace hv::models
