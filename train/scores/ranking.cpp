#include "train/scores/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/check.h"

namespace hv::train {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN(), kInfinite = std::numeric_limits<double>::infinity();

// Calls take(score, positives, negatives) for every run, the highest score first.
template <class Take>
void each_run_down(const Ranking& ranking, Take&& take) {
  for (size_t r = ranking.ends.size(); r > 0; --r) {
    const size_t begin = r > 1 ? ranking.ends[r - 2] : 0, end = ranking.ends[r - 1];
    int64_t yes = 0;
    for (size_t i = begin; i < end; ++i) yes += ranking.positive[i];
    take(ranking.scores[begin], yes, static_cast<int64_t>(end - begin) - yes);
  }
}

double f1(int64_t true_positives, int64_t said_yes, int64_t positives) {
  return 2 * static_cast<double>(true_positives) / static_cast<double>(said_yes + positives);
}

}  // namespace

Ranking rank(std::span<const double> scores, std::span<const uint8_t> targets) {
  HV_CHECK(scores.size() == targets.size(), "rank: ", scores.size(), " scores for ", targets.size(), " targets");
  Ranking ranking;
  std::vector<double> keys(scores.begin(), scores.end());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (std::isnan(keys[i])) keys[i] = targets[i] ? -kInfinite : kInfinite;
  }
  ranking.order.resize(keys.size());
  std::iota(ranking.order.begin(), ranking.order.end(), size_t{0});
  std::stable_sort(ranking.order.begin(), ranking.order.end(), [&](size_t a, size_t b) { return keys[a] < keys[b]; });
  for (const size_t picture : ranking.order) {
    if (!ranking.scores.empty() && keys[picture] != ranking.scores.back()) ranking.ends.push_back(ranking.scores.size());
    ranking.scores.push_back(keys[picture]);
    ranking.positive.push_back(targets[picture] != 0);
    ranking.positives += targets[picture] != 0;
  }
  if (!keys.empty()) ranking.ends.push_back(keys.size());
  ranking.negatives = static_cast<int64_t>(keys.size()) - ranking.positives;
  return ranking;
}

double auroc(const Ranking& ranking) {
  if (!ranking.available()) return kNone;
  int64_t twice = 0, above = 0;  // pairs in the right order count 2, ties 1; positives above this run
  each_run_down(ranking, [&](double, int64_t yes, int64_t no) {
    twice += no * (2 * above + yes);
    above += yes;
  });
  return static_cast<double>(twice) / (2 * static_cast<double>(ranking.positives) * static_cast<double>(ranking.negatives));
}

double average_precision(const Ranking& ranking) {
  if (!ranking.available()) return kNone;
  double sum = 0;
  int64_t said_yes = 0, right = 0;
  each_run_down(ranking, [&](double, int64_t yes, int64_t no) {
    right += yes;
    said_yes += yes + no;
    sum += static_cast<double>(yes) * static_cast<double>(right) / static_cast<double>(said_yes);
  });
  return sum / static_cast<double>(ranking.positives);
}

std::vector<RocPoint> roc_curve(const Ranking& ranking) {
  if (!ranking.available()) return {};
  std::vector<RocPoint> curve = {{}};
  int64_t wrong = 0, right = 0;
  each_run_down(ranking, [&](double, int64_t yes, int64_t no) {
    right += yes;
    wrong += no;
    curve.push_back({static_cast<double>(wrong) / static_cast<double>(ranking.negatives),
                     static_cast<double>(right) / static_cast<double>(ranking.positives)});
  });
  return curve;
}

double f1_at(const Ranking& ranking, double threshold) {
  if (!ranking.available() || std::isnan(threshold)) return kNone;
  int64_t said_yes = 0, right = 0;
  each_run_down(ranking, [&](double score, int64_t yes, int64_t no) {
    if (score < threshold) return;
    right += yes;
    said_yes += yes + no;
  });
  return f1(right, said_yes, ranking.positives);
}

double best_threshold(const Ranking& ranking) {
  if (!ranking.available()) return kNone;
  double best = -1, threshold = kNone;
  int64_t said_yes = 0, right = 0;
  each_run_down(ranking, [&](double score, int64_t yes, int64_t no) {
    right += yes;
    said_yes += yes + no;
    const double now = f1(right, said_yes, ranking.positives);
    if (now < best || !std::isfinite(score)) return;  // a NaN is no score to compare with
    best = now;
    threshold = score;
  });
  return threshold;
}

std::vector<double> choose_thresholds(std::span<const double> scores, std::span<const uint8_t> targets, int64_t labels) {
  HV_CHECK(labels > 0 && scores.size() == targets.size() && scores.size() % static_cast<size_t>(labels) == 0,
           "choose_thresholds: ", scores.size(), " scores and ", targets.size(), " targets for ", labels, " labels");
  std::vector<double> thresholds, column;
  std::vector<uint8_t> wanted;
  for (size_t k = 0; k < static_cast<size_t>(labels); ++k) {
    column.clear();
    wanted.clear();
    for (size_t i = k; i < scores.size(); i += static_cast<size_t>(labels)) {
      column.push_back(scores[i]);
      wanted.push_back(targets[i]);
    }
    thresholds.push_back(best_threshold(rank(column, wanted)));
  }
  return thresholds;
}

}  // namespace hv::train
