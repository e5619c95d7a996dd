#include "train/recipes/supervit.h"

#include <algorithm>

#include "core/random.h"

namespace hv::train {

SuperViTRecipe::SuperViTRecipe(models::ElasticModel& model, const std::vector<models::Subnet>& subnets, double smoothing,
                               uint64_t seed)
    : model_(model), views_(views_of(subnets)), smoothing_(smoothing), seed_(seed) {
  const bool varied =
      std::any_of(views_.begin(), views_.end(), [](const auto& sizes) { return sizes.size() > 1 || sizes[0].size() > 1; });
  HV_CHECK_USAGE(varied,
                 "--recipe supervit: for models of several --sizes or rates to --keep, as --preset supervit-nano; train "
                 "this one with another --recipe");
}

std::vector<models::Subnet> SuperViTRecipe::trains(int64_t step) const {
  Stream stream(seed_, Purpose::width, static_cast<uint64_t>(step));
  const auto draw = [&](size_t choices) { return stream.below(static_cast<uint32_t>(choices)); };
  const std::vector<Rates>& sizes = views_[draw(views_.size())];
  std::vector<models::Subnet> nets;
  const auto add = [&](const Rates& rates) {
    nets.push_back(rates.back());
    if (rates.size() > 1) nets.push_back(rates[draw(rates.size() - 1)]);
  };
  add(sizes.back());
  if (sizes.size() > 1) add(sizes[draw(sizes.size() - 1)]);
  return nets;
}

double SuperViTRecipe::share(const models::Subnet& subnet) const {
  for (const std::vector<Rates>& sizes : views_) {
    for (const Rates& rates : sizes) {
      for (const models::Subnet& own : rates) {
        if (own.id != subnet.id) continue;
        double share = 1 / static_cast<double>(views_.size());
        if (&rates != &sizes.back()) share /= static_cast<double>(sizes.size() - 1);
        if (&own != &rates.back()) share /= static_cast<double>(rates.size() - 1);
        return share;
      }
    }
  }
  return 0;
}

void SuperViTRecipe::run(const std::vector<models::Subnet>& nets, const data::Batch& batch, const Learn& learn) {
  std::vector<bool> full;
  for (const models::Subnet& net : nets) {
    full.push_back(std::any_of(views_.begin(), views_.end(), [&](const auto& sizes) {
      return std::any_of(sizes.begin(), sizes.end(), [&](const Rates& rates) { return rates.back().id == net.id; });
    }));
  }
  run_views(model_, nets, full, batch, {.smoothing = smoothing_}, learn);
}

RecipeKind supervit_recipe() {
  RecipeKind kind{"supervit", {}, {}};
  kind.labels = Labels::exclusive;
  kind.options = [](TrainOptions&) { return Fields{}; };
  kind.make = [](models::ElasticModel& model, const std::vector<models::Subnet>& subnets, const TrainOptions& options) {
    return std::make_unique<SuperViTRecipe>(model, subnets, options.smoothing, static_cast<uint64_t>(options.seed));
  };
  return kind;
}

}  // namespace hv::train
