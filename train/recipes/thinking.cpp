#include "train/recipes/thinking.h"

#include <algorithm>

namespace hv::train {

ThinkingRecipe::ThinkingRecipe(models::ElasticModel& model, std::vector<models::Subnet> subnets, double smoothing)
    : model_(model), subnets_(std::move(subnets)), smoothing_(smoothing) {
  HV_CHECK_USAGE(model.continues(),
                 "--recipe thinking: for models that look several times, as --preset thinking-nano; this one's subnetworks do "
                 "not go on from one another, train it with another --recipe");
}

bool ThinkingRecipe::learns(const models::Subnet& subnet) const {
  return std::any_of(subnets_.begin(), subnets_.end(), [&](const models::Subnet& own) { return own.id == subnet.id; });
}

void ThinkingRecipe::passes(const data::Batch& batch, int64_t, const Learn& learn) {
  std::vector<Term> terms;
  models::Look look;
  for (const models::Subnet& subnet : model_.subnets()) {
    if (subnet.id > subnets_.back().id) break;
    look = model_.look(batch.images, subnet, look);
    if (learns(subnet)) terms.push_back({subnet, cross_entropy(look.logits, batch.targets, smoothing_)});
  }
  look = {};
  learn(terms);
}

RecipeKind thinking_recipe() {
  RecipeKind kind{"thinking", {}, {}};
  kind.labels = Labels::exclusive;
  kind.options = [](TrainOptions&) { return Fields{}; };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options) {
    return std::make_unique<ThinkingRecipe>(model, subnets, options.smoothing);
  };
  return kind;
}

}  // namespace hv::train
