// Where a probability becomes a "yes", for labels that do not exclude each other: per label the threshold that is best for F1
// on validation pictures (train/scores/ranking.h), which neither trained the model nor test it.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "train/evaluate.h"
#include "train/predict/predict.h"

namespace hv::train {

// Chosen now; empty if the set is null.
Thresholds thresholds_on(const data::Dataset* validation, models::ElasticModel& model,
                         const std::vector<models::Subnet>& subnets, EvaluateOptions how);
// Those that a checkpoint carries (train/scores/stored_thresholds.h).
Thresholds thresholds_in(const Header& header, const models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
                         bool ema);
// What is missing of those a checkpoint carries, in one line; "" if nothing is.
std::string missing_thresholds(const Thresholds& thresholds, const std::vector<models::Subnet>& subnets,
                               const std::vector<std::string>& labels);

}  // namespace hv::train
