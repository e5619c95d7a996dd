// What a ranking of pictures by their score says about one label, yes or no.
//
// Invariants
//   1. Pictures of equal score form one run, whose inside has no order: everything here treats them as tied.
//   2. A score that is NaN is the worst possible answer: below all others if the target is 1, above all others if it is 0.
//   3. Without a positive or without a negative picture, a value is not available (NaN).
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hv::train {

struct Ranking {
  std::vector<size_t> order;      // numbers of the pictures by rising score
  std::vector<double> scores;     // of order[i]
  std::vector<uint8_t> positive;  // of order[i]: 1 or 0
  std::vector<size_t> ends;       // run r is [ends[r - 1], ends[r]), the first one begins at 0
  int64_t positives = 0, negatives = 0;
  bool available() const { return positives > 0 && negatives > 0; }
};
Ranking rank(std::span<const double> scores, std::span<const uint8_t> targets);  // O(n log n)

// The area under the ROC curve: the probability that a positive picture has a higher score than a negative one, where a tie
// counts one half (Mann and Whitney 1947; Hanley and McNeil 1982, Radiology 143, 29-36):
//   ((sum of the midranks of the positives) - n1 (n1 + 1) / 2) / (n1 n0),  for n1 positives and n0 negatives
double auroc(const Ranking& ranking);

// sum over thresholds, from the highest to the lowest distinct score, of (R_k - R_(k-1)) P_k, with precision P and recall R:
// the area under the precision-recall curve without interpolation, as scikit-learn's average_precision_score.
double average_precision(const Ranking& ranking);

// The ROC curve: rates of false and of true positives of the answer "yes, if score >= threshold", from (0, 0) to (1, 1), a
// point for each distinct score from the highest down. The area under its straight lines is auroc(). Empty if not available.
struct RocPoint {
  double false_positives = 0, true_positives = 0;
};
std::vector<RocPoint> roc_curve(const Ranking& ranking);

// The F1 score 2 TP / (2 TP + FP + FN) of the answer "yes, if score >= threshold" (van Rijsbergen 1979).
double f1_at(const Ranking& ranking, double threshold);
// The distinct score that is the best threshold for F1 on these pictures; of several the lowest, which misses fewer positives.
double best_threshold(const Ranking& ranking);

// best_threshold per label, of scores and targets of n pictures and K labels, row-major [n, K]. A scorer takes them as
// ScoreOptions::thresholds if the scores are probabilities (calibration.h).
std::vector<double> choose_thresholds(std::span<const double> scores, std::span<const uint8_t> targets, int64_t labels);

}  // namespace hv::train
