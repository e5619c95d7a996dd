#include "train/recipes/slim.h"

namespace hv::train {
namespace {

models::SlimSearch& with_masks(models::ElasticModel& model) {
  auto* const search = dynamic_cast<models::SlimSearch*>(&model);
  HV_CHECK_USAGE(search,
                 "--recipe slim: for models with masks, as --preset slim-nano; this one has none: hydravit slim search "
                 "gives them to a finished model");
  return *search;
}

}  // namespace

SlimRecipe::SlimRecipe(models::ElasticModel& model, const SlimOptions& options, double smoothing)
    : model_(with_masks(model)), options_(options), smoothing_(smoothing) {
  model_.rest({.attention = options_.w1 == 0, .mlp = options_.w2 == 0, .tokens = options_.w3 == 0});
}

Tensor SlimRecipe::penalty() const {
  Tensor total = Tensor::zeros({});
  for (const auto& block : model_.blocks()) {
    if (block->zeta.defined()) total = total + sum(abs(block->zeta)) * options_.w1;
    if (block->hidden_zeta.defined()) total = total + sum(abs(block->hidden_zeta)) * options_.w2;
    if (block->patch_zeta.defined()) total = total + sum(abs(tanh(block->patch_zeta))) * options_.w3;
  }
  return total;
}

void SlimRecipe::passes(const data::Batch& batch, int64_t, const Learn& learn) {
  const models::Subnet& full = model_.subnets().back();
  learn(full, cross_entropy(model_.forward(batch.images, full), batch.targets, smoothing_) + penalty());
}

RecipeKind slim_recipe() {
  RecipeKind kind{"slim", {}, {}};
  kind.labels = Labels::exclusive;
  kind.options = [](TrainOptions& options) {
    SlimOptions& own = options.own<SlimOptions>();
    return Fields{{"w1", &own.w1, "weight of the L1 penalty on masks of attention; 0: they are not trained", 0, 1e3},
                  {"w2", &own.w2, "weight of the L1 penalty on masks of hidden units; 0: they are not trained", 0, 1e3},
                  {"w3", &own.w3, "weight of the L1 penalty on masks of tokens; 0: they are not trained", 0, 1e3}};
  };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>&, const TrainOptions& options) {
    return std::make_unique<SlimRecipe>(model, options.own<SlimOptions>(), options.smoothing);
  };
  return kind;
}

}  // namespace hv::train
