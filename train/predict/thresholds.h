// Where a probability becomes a "yes", for labels that do not exclude each other: per label the threshold that is best for F1
// on validation pictures (train/scores/ranking.h), which neither trained the model nor test it.
// Thread rule: one thread.
#pragma once

#include <vector>

#include "train/evaluate.h"

namespace hv::train {

// Per subnetwork one per label, as probabilities; empty if the set is null or its labels exclude each other.
std::vector<std::vector<double>> thresholds_on(const data::Dataset* validation, models::ElasticModel& model,
                                               const std::vector<models::Subnet>& subnets, EvaluateOptions how);

}  // namespace hv::train
