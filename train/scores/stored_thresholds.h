// The thresholds that a checkpoint carries, so that an answer needs no data set: of labels that do not exclude each other,
// those that were best for F1 at the last evaluation on validation pictures (ScoreOptions::choose).
//
// They are entries of Header::metrics: "threshold_<key of the label>.<label of the subnetwork>" (findings.h, label_keys) for
// the live weights, and "ema_threshold_..." for the averaged ones. Writing and reading stand side by side here.
// Invariants
//   1. A label without a threshold has no entry. Read, it is NaN, and so is what is no finite number: files are not trusted.
//   2. Thresholds that would take more than kMostThresholdBytes of a header are not kept.
// Thread rule: pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/scores/scorer.h"

namespace hv::train {

inline constexpr size_t kMostThresholdBytes = 1 << 17;

bool is_threshold(const std::string& metric);  // the name of an entry

// What an evaluation of both kinds of weights chose; `average` may be empty.
std::map<std::string, double> thresholds_to_store(const std::vector<std::string>& labels, const std::vector<Result>& live,
                                                  const std::vector<Result>& average);
// One per label; empty if there is none of this subnetwork with these weights.
std::vector<double> stored_thresholds(const std::map<std::string, double>& metrics, const std::vector<std::string>& labels,
                                      const models::Subnet& subnet, bool ema);

}  // namespace hv::train
