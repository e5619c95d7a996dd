// 95 % intervals of AUROC. A value without an interval has ends that are NaN.
// Thread rule: pure functions; bootstrap uses all cores, and its numbers do not depend on how many.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "train/scores/ranking.h"

namespace hv::train {

struct Interval {
  double low = std::numeric_limits<double>::quiet_NaN(), high = low;
};

// DeLong's variance of AUROC (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837-845), in the fast form by midranks
// (Sun and Xu 2014, IEEE Signal Processing Letters 21, 1389-1393, algorithm 2):
//   V10(i) = (midrank of positive i among all - among the positives) / n0:  the share of negatives below it, ties one half
//   V01(j) = 1 - (midrank of negative j among all - among the negatives) / n1:  the share of positives above it
//   variance = s^2(V10) / n1 + s^2(V01) / n0,  s^2 with n1 - 1 and n0 - 1; NaN unless both are at least 2
double delong_variance(const Ranking& ranking);

// The interval on the logit scale (Pepe 2003, section 5.2): logit(A) +- 1.96 sqrt(variance) / (A (1 - A)), mapped back. It lies
// within (0, 1) without clipping and is not too short near 1, where AUROC is far from normal. At 0 and 1 the variance is 0 and
// says nothing: no interval.
Interval delong_interval(const Ranking& ranking);

struct Bootstrap {
  std::vector<Interval> labels;  // as the rankings
  Interval mean;                 // of the mean AUROC over the labels
};
// Percentile intervals of a cluster bootstrap (Efron and Tibshirani 1993, chapter 13; Field and Welsh 2007 for clusters): a
// resample draws as many groups as there are, with replacement, and with a group all its pictures. groups[i] is the group of
// picture i, from 0 to a largest one. Resample r draws from Philox (seed, bootstrap, r), the same groups for all labels and all
// models. The percentiles are interpolated linearly, as numpy does.
// A label that has no positive or no negative picture in a resample is skipped there: the resample gives no AUROC of this
// label, and its mean is over the other labels. A label whose positives, or negatives, are all of one group has no interval, as
// a variance between groups needs two.
Bootstrap bootstrap_auroc(const std::vector<Ranking>& labels, std::span<const int64_t> groups, uint64_t seed,
                          int64_t resamples = 1000);

}  // namespace hv::train
