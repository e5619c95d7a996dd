// What recipes for the axes of tokens share (models/token_axes.h): the subnetworks in groups, and the passes of one step.
// Thread rule: plain data; run_views as Recipe::passes.
#pragma once

#include <vector>

#include "train/recipe.h"

namespace hv::train {

// Of one width and one size, rising by the rate of tokens that are kept. The last one keeps the most: it is the full one.
using Rates = std::vector<models::Subnet>;
// [width][size], both rising. A model without these axes has one of each. `subnets` are in the model's order.
std::vector<std::vector<Rates>> views_of(const std::vector<models::Subnet>& subnets);

struct ViewLosses {
  double smoothing = 0;  // of labels
  double labels = 0;     // weight of the labels in passes that are taught
  double teacher = 1;    // weight of KL(full || own) in these
};
// One pass per subnetwork of `nets`, in order. `full` says of each if it learns labels and teaches those that follow, or is
// taught by the one that did so last (temperature 1; the teacher has no gradient).
void run_views(models::ElasticModel& model, const std::vector<models::Subnet>& nets, const std::vector<bool>& full,
               const data::Batch& batch, const ViewLosses& losses, const Learn& learn);

}  // namespace hv::train
