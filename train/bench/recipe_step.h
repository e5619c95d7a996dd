// A step of a recipe beside its passes, each run alone: what do several passes in one step cost more than they must?
//
// Invariants
//   1. A pass alone is forward, the cross entropy of each classifier, and backward, on the same batch. It adds to gradients, as
//      the passes of a step do.
//   2. Steps and the passes alone are timed in turn; a step draws its subnetworks as in training. Each subnetwork has run once
//      before anything is measured.
// Thread rule: one thread.
#pragma once

#include "train/optim/optimizer.h"
#include "train/recipe.h"

namespace hv::train {

struct RecipeTimes {
  double step = 0, update = 0, alone = 0;   // medians: passes and update; the update; the passes alone, added
  double ratio = 0;                         // median of step / alone
  int64_t step_bytes = 0, alone_bytes = 0;  // most memory above what was in use before: of a step, of a pass alone
  int64_t chunks = 0, strided_copies = 0;   // of all steps
};
RecipeTimes time_recipe(Recipe& recipe, models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
                        Optimizer& optimizer, const data::Batch& batch, int64_t steps);

// Forward and backward of one subnetwork.
void pass_alone(models::ElasticModel& model, const models::Subnet& subnet, const data::Batch& batch);

}  // namespace hv::train
