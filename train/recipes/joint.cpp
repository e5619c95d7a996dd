#include "train/recipes/joint.h"

#include "core/random.h"

namespace hv::train {

JointRecipe::JointRecipe(models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const JointOptions& options,
                         double smoothing, uint64_t seed)
    : model_(model),
      views_(views_of(subnets)),
      count_(std::ssize(subnets)),
      options_(options),
      smoothing_(smoothing),
      seed_(seed) {}

// Each subnetwork is drawn equally often.
std::vector<models::Subnet> JointRecipe::trains(int64_t step) const {
  int64_t drawn = Stream(seed_, Purpose::width, static_cast<uint64_t>(step)).below(static_cast<uint32_t>(count_));
  for (const std::vector<Rates>& sizes : views_) {
    for (const Rates& rates : sizes) {
      if (drawn >= std::ssize(rates)) {
        drawn -= std::ssize(rates);
        continue;
      }
      const models::Subnet& net = rates[static_cast<size_t>(drawn)];
      if (options_.token_teacher && net.id != rates.back().id) return {rates.back(), net};
      return {net};
    }
  }
  fail(Fault::failure, "joint: no subnetworks");
}

double JointRecipe::share(const models::Subnet& subnet) const {
  for (const std::vector<Rates>& sizes : views_) {
    for (const Rates& rates : sizes) {
      for (const models::Subnet& own : rates) {
        if (own.id != subnet.id) continue;
        const bool teaches = options_.token_teacher && own.id == rates.back().id;
        return static_cast<double>(teaches ? std::ssize(rates) : 1) / static_cast<double>(count_);
      }
    }
  }
  return 0;
}

void JointRecipe::passes(const data::Batch& batch, int64_t step, const Learn& learn) {
  const std::vector<models::Subnet> nets = trains(step);
  const ViewLosses losses{.smoothing = smoothing_, .labels = options_.token_labels};
  run_views(model_, nets, nets.size() == 1 ? std::vector<bool>{true} : std::vector<bool>{true, false}, batch, losses, learn);
}

RecipeKind joint_recipe() {
  RecipeKind kind{"joint", {}, {}};
  kind.options = [](TrainOptions& options) {
    JointOptions& own = options.own<JointOptions>();
    return Fields{{"token-teacher", &own.token_teacher, "a pass of all tokens teaches a drawn rate of them"},
                  {"token-labels", &own.token_labels, "weight of the labels beside that teacher", 0, 1000}};
  };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options) {
    JointOptions own = options.own<JointOptions>();
    return std::make_unique<JointRecipe>(model, subnets, own, options.smoothing, static_cast<uint64_t>(options.seed));
  };
  return kind;
}

}  // namespace hv::train
