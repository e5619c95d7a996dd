// Are probabilities what they say? Of one label: probabilities from 0 to 1, and targets 0 or 1. Of no pictures, or with a
// probability that is NaN, a value is NaN. Labels without a positive or a negative picture have values as others.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hv::train {

inline constexpr int64_t kCalibrationBins = 15;  // as Guo et al. 2017

double probability(double logit);  // 1 / (1 + e^-logit), which never overflows: what thresholds are compared with

struct ReliabilityBin {
  int64_t pictures = 0;
  double probability = 0, positives = 0;  // mean probability, share of positive pictures; 0 if there are none
};
// Bin b holds probabilities from b / bins to below (b + 1) / bins; the last one also 1 (DeGroot and Fienberg 1983). A NaN is in
// no bin.
std::vector<ReliabilityBin> reliability(std::span<const double> probabilities, std::span<const uint8_t> targets,
                                        int64_t bins = kCalibrationBins);

// Expected calibration error: sum over bins of (pictures / n) |mean probability - share of positives| (Naeini, Cooper and
// Hauskrecht 2015; Guo et al. 2017, arXiv 1706.04599, equation 3, for the probability of "yes").
double calibration_error(std::span<const double> probabilities, std::span<const uint8_t> targets,
                         int64_t bins = kCalibrationBins);

// Mean of (probability - target)^2 (Brier 1950, as half of his sum over both answers).
double brier_score(std::span<const double> probabilities, std::span<const uint8_t> targets);

}  // namespace hv::train
