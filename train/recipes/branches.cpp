#include "train/recipes/branches.h"

#include "nn/balance.h"

namespace hv::train {

BranchesRecipe::BranchesRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, WidthSampler sampler,
                               const BranchesOptions& options, const data::LabelCounts& counts)
    : HydraViTRecipe(model, std::move(subnets), std::move(sampler), 0), gamma_(options.focal) {
  if (!counts.positives.empty()) weights_ = nn::balance_weights(options.balance, counts.positives, counts.images);
}

void BranchesRecipe::passes(const data::Batch& batch, int64_t step, const Learn& learn) {
  const models::Subnet& subnet = drawn(step);
  Tensor loss;
  const std::vector<Tensor> outputs = model_.outputs(batch.images, subnet);
  for (const Tensor& logits : outputs) {
    const Tensor one = focal_loss(logits, batch.targets, gamma_, weights_);
    loss = loss.defined() ? loss + one : one;
  }
  learn(subnet, loss * (1 / static_cast<double>(outputs.size())));
}

RecipeKind branches_recipe() {
  RecipeKind kind{"branches", {}, {}};
  kind.labels = Labels::independent;
  kind.options = [](TrainOptions& options) {
    BranchesOptions& own = options.own<BranchesOptions>();
    Fields fields = hydravit_recipe().options(options);
    fields.push_back({"balance", &own.balance, "weights of rare labels", 0, 0, nn::balance_kinds()});
    fields.push_back({"focal", &own.focal, "gamma of the focal loss; 0: binary cross-entropy", 0, 10});
    return fields;
  };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options) {
    const WidthSampler sampler(static_cast<uint64_t>(options.seed), std::ssize(subnets),
                               parse_weights("--weights", options.own<HydraViTOptions>().weights));
    return std::make_unique<BranchesRecipe>(model, subnets, sampler, options.own<BranchesOptions>(), options.label_counts);
  };
  return kind;
}

}  // namespace hv::train
