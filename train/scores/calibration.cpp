#include "train/scores/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"

namespace hv::train {

double probability(double logit) {
  const double z = std::exp(-std::abs(logit));
  return (logit < 0 ? z : 1) / (1 + z);
}

std::vector<ReliabilityBin> reliability(std::span<const double> probabilities, std::span<const uint8_t> targets, int64_t bins) {
  HV_CHECK(probabilities.size() == targets.size() && bins > 0, "reliability: ", probabilities.size(), " probabilities and ",
           targets.size(), " targets in ", bins, " bins");
  std::vector<ReliabilityBin> result(static_cast<size_t>(bins));
  for (size_t i = 0; i < targets.size(); ++i) {
    const double p = probabilities[i];
    if (std::isnan(p)) continue;
    HV_CHECK(p >= 0 && p <= 1, "reliability: a probability must be from 0 to 1: ", p);
    ReliabilityBin& bin = result[static_cast<size_t>(std::min(static_cast<int64_t>(p * static_cast<double>(bins)), bins - 1))];
    ++bin.pictures;
    bin.probability += p;
    bin.positives += targets[i];
  }
  for (ReliabilityBin& bin : result) {
    if (bin.pictures == 0) continue;
    bin.probability /= static_cast<double>(bin.pictures);
    bin.positives /= static_cast<double>(bin.pictures);
  }
  return result;
}

double calibration_error(std::span<const double> probabilities, std::span<const uint8_t> targets, int64_t bins) {
  double sum = 0;
  int64_t pictures = 0;
  for (const ReliabilityBin& bin : reliability(probabilities, targets, bins)) {
    sum += static_cast<double>(bin.pictures) * std::abs(bin.probability - bin.positives);
    pictures += bin.pictures;
  }
  const bool whole = pictures > 0 && pictures == std::ssize(probabilities);
  return whole ? sum / static_cast<double>(pictures) : std::numeric_limits<double>::quiet_NaN();
}

double brier_score(std::span<const double> probabilities, std::span<const uint8_t> targets) {
  HV_CHECK(probabilities.size() == targets.size(), "brier_score: ", probabilities.size(), " probabilities for ", targets.size(),
           " targets");
  double sum = 0;
  for (size_t i = 0; i < targets.size(); ++i) sum += (probabilities[i] - targets[i]) * (probabilities[i] - targets[i]);
  return targets.empty() ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(targets.size());
}

}  // namespace hv::train
