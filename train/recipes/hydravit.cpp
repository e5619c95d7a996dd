#include "train/recipes/hydravit.h"

namespace hv::train {

HydraViTRecipe::HydraViTRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, WidthSampler sampler,
                               double smoothing)
    : model_(model), subnets_(std::move(subnets)), sampler_(std::move(sampler)), smoothing_(smoothing) {}

double HydraViTRecipe::share(const models::Subnet& subnet) const {
  for (size_t i = 0; i < subnets_.size(); ++i) {
    if (subnets_[i].id == subnet.id) return sampler_.probability(static_cast<int64_t>(i));
  }
  return 0;
}

void HydraViTRecipe::passes(const data::Batch& batch, int64_t step, const Learn& learn) {
  const models::Subnet& subnet = drawn(step);
  learn(subnet, cross_entropy(model_.forward(batch.images, subnet), batch.targets, smoothing_));
}

RecipeKind hydravit_recipe() {
  RecipeKind kind{"hydravit", {}, {}};
  kind.labels = Labels::exclusive;
  kind.options = [](TrainOptions& options) {
    HydraViTOptions& own = options.own<HydraViTOptions>();
    return Fields{{"weights", &own.weights, "how often each width is drawn, as 1,1,2; default: all the same"}};
  };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options) {
    const WidthSampler sampler(static_cast<uint64_t>(options.seed), std::ssize(subnets),
                               parse_weights("--weights", options.own<HydraViTOptions>().weights));
    return std::make_unique<HydraViTRecipe>(model, subnets, sampler, options.smoothing);
  };
  return kind;
}

}  // namespace hv::train
