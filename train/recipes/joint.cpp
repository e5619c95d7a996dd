#include "train/recipes/joint.h"

namespace hv::train {

JointRecipe::JointRecipe(models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const JointOptions& options,
                         double smoothing, uint64_t seed)
    : model_(model), sampler_(seed, std::ssize(subnets)), options_(options), smoothing_(smoothing) {
  for (const std::vector<Rates>& sizes : views_of(subnets)) {
    for (const Rates& rates : sizes) {
      subnets_.insert(subnets_.end(), rates.begin(), rates.end());
      full_.insert(full_.end(), rates.size(), rates.back());
    }
  }
}

std::vector<models::Subnet> JointRecipe::trains(int64_t step) const {
  const auto i = static_cast<size_t>(sampler_.draw(step));
  if (options_.token_teacher && full_[i].id != subnets_[i].id) return {full_[i], subnets_[i]};
  return {subnets_[i]};
}

double JointRecipe::share(const models::Subnet& subnet) const {
  double share = 0;
  for (size_t i = 0; i < subnets_.size(); ++i) {
    const bool runs = subnets_[i].id == subnet.id || (options_.token_teacher && full_[i].id == subnet.id);
    if (runs) share += sampler_.probability(static_cast<int64_t>(i));
  }
  return share;
}

void JointRecipe::passes(const data::Batch& batch, int64_t step, const Learn& learn) {
  const std::vector<models::Subnet> nets = trains(step);
  const ViewLosses losses{.smoothing = smoothing_, .labels = options_.token_labels};
  run_views(model_, nets, nets.size() == 1 ? std::vector<bool>{true} : std::vector<bool>{true, false}, batch, losses, learn);
}

RecipeKind joint_recipe() {
  RecipeKind kind{"joint", {}, {}};
  kind.labels = Labels::exclusive;
  kind.options = [](TrainOptions& options) {
    JointOptions& own = options.own<JointOptions>();
    return Fields{{"token-teacher", &own.token_teacher, "a pass of all tokens teaches a drawn rate of them"},
                  {"token-labels", &own.token_labels, "weight of the labels beside that teacher", 0, 1000}};
  };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options) {
    const JointOptions own = options.own<JointOptions>();
    return std::make_unique<JointRecipe>(model, subnets, own, options.smoothing, static_cast<uint64_t>(options.seed));
  };
  return kind;
}

}  // namespace hv::train
