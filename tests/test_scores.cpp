// Scores of several labels per picture: against scikit-learn's numbers, against twins in plain loops, and where there is
// nothing to measure.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "core/parallel.h"
#include "core/random.h"
#include "tests/error_of.h"
#include "tests/label_numbers.h"
#include "train/scores/calibration.h"
#include "train/scores/intervals.h"

namespace hv::train {
namespace {

using test::apart, test::error_of;
using Scores = std::vector<double>;
using Targets = std::vector<uint8_t>;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN(), kInfinite = std::numeric_limits<double>::infinity();

struct Label {
  Scores scores;
  Targets targets;
};

// `levels` distinct scores at most; positives are somewhat higher.
Label drawn_label(uint64_t index, size_t pictures, int levels) {
  Stream stream(5, Purpose::test, 1, index);
  Label label;
  for (size_t i = 0; i < pictures; ++i) {
    const bool yes = stream.chance(0.3);
    label.targets.push_back(yes);
    label.scores.push_back(std::floor((stream.uniform() * 0.7 + 0.3 * yes) * levels) / levels);
  }
  return label;
}

// How often a positive has a higher score than a negative: 1, 1/2 or 0.
double wins(double positive, double negative) { return positive > negative ? 1 : 0.5 * (positive == negative); }

double auroc_twin(const Label& label) {
  double sum = 0, pairs = 0;
  for (size_t i = 0; i < label.scores.size(); ++i) {
    for (size_t j = 0; j < label.scores.size(); ++j) {
      if (!label.targets[i] || label.targets[j]) continue;
      sum += wins(label.scores[i], label.scores[j]);
      ++pairs;
    }
  }
  return sum / pairs;
}

// The definition of DeLong et al. 1988: placements of every picture, by comparing all pairs, and the variances of both kinds.
double delong_twin(const Label& label) {
  const auto placements = [&](bool of_positives) {
    std::vector<double> values;
    for (size_t i = 0; i < label.scores.size(); ++i) {
      if ((label.targets[i] == 1) != of_positives) continue;
      double sum = 0, others = 0;
      for (size_t j = 0; j < label.scores.size(); ++j) {
        if (label.targets[j] == label.targets[i]) continue;
        sum += of_positives ? wins(label.scores[i], label.scores[j]) : wins(label.scores[j], label.scores[i]);
        ++others;
      }
      values.push_back(sum / others);
    }
    return values;
  };
  double variance = 0;
  for (const bool of_positives : {true, false}) {
    const std::vector<double> values = placements(of_positives);
    const double n = static_cast<double>(values.size());
    double mean = 0, squares = 0;
    for (const double v : values) mean += v / n;
    for (const double v : values) squares += (v - mean) * (v - mean);
    variance += squares / (n - 1) / n;
  }
  return variance;
}

}  // namespace

TEST_CASE("AUROC, average precision, F1 and calibration are scikit-learn's, ties included") {
  const test::LabelNumbers numbers;
  REQUIRE(numbers.cases().size() == 7);
  for (const std::string& name : numbers.cases()) {
    const auto value = [&](const char* what) { return numbers["score_" + name + "_" + what]; };
    const Scores& scores = numbers.list("score_" + name + "_scores");
    const std::vector<double>& wanted = numbers.list("score_" + name + "_targets");
    const Targets targets(wanted.begin(), wanted.end());
    const Ranking ranking = rank(scores, targets);
    const std::vector<double> found = {auroc(ranking),
                                       average_precision(ranking),
                                       best_threshold(ranking),
                                       f1_at(ranking, best_threshold(ranking)),
                                       f1_at(ranking, 0.5),
                                       brier_score(scores, targets),
                                       calibration_error(scores, targets)};
    const std::vector<double> expected = {value("auroc"),   value("ap"),    value("threshold"), value("f1"),
                                          value("f1_half"), value("brier"), value("ece")};
    CHECK_MESSAGE(apart(found, expected) < 1e-12, name);
  }
}

TEST_CASE("AUROC and DeLong's variance against their definitions by all pairs") {
  for (const int levels : {2, 10, 1 << 20}) {
    const Label label = drawn_label(static_cast<uint64_t>(levels), 150, levels);
    const Ranking ranking = rank(label.scores, label.targets);
    CHECK(auroc(ranking) == doctest::Approx(auroc_twin(label)).epsilon(1e-13));
    CHECK(delong_variance(ranking) == doctest::Approx(delong_twin(label)).epsilon(1e-10));
    const Interval interval = delong_interval(ranking);
    const double a = auroc(ranking), reach = 1.959963984540054 * std::sqrt(delong_twin(label)) / (a * (1 - a));
    const auto logit = [](double p) { return std::log(p / (1 - p)); };
    CHECK(apart({logit(interval.low), logit(interval.high)}, {logit(a) - reach, logit(a) + reach}) < 1e-10);
  }
  // By hand: positives 3, 1 and negatives 2, 0: V10 = 1, 1/2; V01 = 1/2, 1; both variances are 1/8, halved.
  const Ranking small = rank(Scores{3, 1, 2, 0}, Targets{1, 1, 0, 0});
  CHECK(auroc(small) == 0.75);
  CHECK(delong_variance(small) == 0.125);
}

TEST_CASE("the bootstrap draws whole groups: against resampled lists of pictures, on any number of threads") {
  const size_t pictures = 60;
  std::vector<int64_t> groups;
  for (size_t i = 0; i < pictures; ++i) groups.push_back(static_cast<int64_t>(i * i % 13));  // of unequal size, 7 of 13 numbers
  std::vector<Label> labels = {drawn_label(1, pictures, 8), drawn_label(2, pictures, 1 << 20), drawn_label(3, pictures, 3)};
  for (size_t i = 0; i < pictures; ++i) labels[2].targets[i] = groups[i] == 3 || groups[i] == 4;  // often not drawn
  std::vector<Ranking> rankings;
  for (const Label& label : labels) rankings.push_back(rank(label.scores, label.targets));

  const int64_t resamples = 101, count = 1 + *std::max_element(groups.begin(), groups.end());
  std::vector<std::vector<double>> values(4);
  for (int64_t r = 0; r < resamples; ++r) {
    Stream stream(9, Purpose::bootstrap, 0, static_cast<uint64_t>(r));
    std::vector<Label> taken(3);
    for (int64_t draw = 0; draw < count; ++draw) {
      const int64_t group = stream.below(static_cast<uint32_t>(count));
      for (size_t i = 0; i < pictures; ++i) {
        if (groups[i] != group) continue;
        for (size_t k = 0; k < 3; ++k) {
          taken[k].scores.push_back(labels[k].scores[i]);
          taken[k].targets.push_back(labels[k].targets[i]);
        }
      }
    }
    double sum = 0, available = 0;
    for (size_t k = 0; k < 3; ++k) {
      const double a = auroc_twin(taken[k]);  // 0 / 0 if one side is empty
      if (std::isnan(a)) continue;
      values[k].push_back(a);
      sum += a;
      ++available;
    }
    if (available > 0) values[3].push_back(sum / available);
  }
  REQUIRE((values[2].size() < 101 && values[0].size() == 101));
  std::vector<double> ends;
  for (std::vector<double>& v : values) {
    std::sort(v.begin(), v.end());
    for (const double share : {0.025, 0.975}) {
      const double place = share * static_cast<double>(v.size() - 1), rest = place - std::floor(place);
      ends.push_back(v[static_cast<size_t>(place)] * (1 - rest) + v[static_cast<size_t>(std::ceil(place))] * rest);
    }
  }
  const int threads = num_threads();
  for (const int n : {1, 3}) {
    set_num_threads(n);
    const Bootstrap found = bootstrap_auroc(rankings, groups, 9, resamples);
    std::vector<double> intervals;
    for (const Interval& interval : found.labels) intervals.insert(intervals.end(), {interval.low, interval.high});
    intervals.insert(intervals.end(), {found.mean.low, found.mean.high});
    CHECK(apart(intervals, ends) < 1e-13);
  }
  set_num_threads(threads);

  // All positives are of one group.
  const Bootstrap one = bootstrap_auroc({rank(Scores{1, 2, 3, 0}, Targets{1, 1, 0, 0})}, std::vector<int64_t>{0, 0, 1, 2}, 9);
  CHECK((std::isnan(one.labels[0].low) && one.mean.low == 0 && one.mean.high == 1));
}

TEST_CASE("scores that are no numbers rank worst; what cannot be measured is not available; wrong sizes are errors") {
  const Ranking bad = rank(Scores{kNone, 0.6, kNone, 0.2}, Targets{1, 1, 0, 0});
  CHECK(auroc(bad) == auroc(rank(Scores{-kInfinite, 0.6, kInfinite, 0.2}, Targets{1, 1, 0, 0})));
  CHECK(auroc(bad) == 0.25);
  CHECK(best_threshold(bad) == 0.6);
  CHECK(auroc(rank(Scores(4, kNone), Targets{1, 1, 0, 0})) == 0);
  CHECK(best_threshold(rank(Scores{0.5, 0.5, 0.5}, Targets{1, 0, 1})) == 0.5);
  CHECK(best_threshold(rank(Scores{0.9, 0.8, 0.5, 0.4}, Targets{1, 0, 0, 1})) == 0.4);  // 0.9 and 0.4 both have F1 2/3
  for (const Targets& same : {Targets{}, Targets{0, 0, 0}, Targets{1, 1, 1}}) {
    const Ranking ranking = rank(Scores(same.size(), 0.5), same);
    const Interval delong = delong_interval(ranking);
    const Bootstrap drawn = bootstrap_auroc({ranking}, std::vector<int64_t>(same.size(), 0), 1, 10);
    for (const double value : {auroc(ranking), average_precision(ranking), best_threshold(ranking), f1_at(ranking, 0.5),
                               delong_variance(ranking), delong.low, drawn.labels[0].low, drawn.mean.high}) {
      CHECK(std::isnan(value));
    }
    CHECK(std::isnan(brier_score(Scores(same.size(), 0.5), same)) == same.empty());
  }
  CHECK(std::isnan(delong_interval(rank(Scores{1, 2, 3, 4}, Targets{0, 0, 1, 1})).low));  // variance 0 says nothing
  CHECK(std::isnan(delong_variance(rank(Scores{1, 2, 3}, Targets{0, 1, 0}))));
  CHECK(std::isnan(calibration_error(Scores{0.5, kNone}, Targets{1, 0})));

  const std::vector<ReliabilityBin> bins = reliability(Scores{0, 0.24, 0.25, 1}, Targets{1, 0, 1, 1}, 4);
  CHECK((bins[0].pictures == 2 && bins[1].pictures == 1 && bins[2].pictures == 0 && bins[3].pictures == 1));
  CHECK((bins[0].probability == 0.12 && bins[0].positives == 0.5));

  const std::vector<double> chosen = choose_thresholds(Scores{0.9, 0.1, 0.2, 0.7}, Targets{1, 0, 0, 0}, 2);
  CHECK(chosen[0] == 0.9);
  CHECK(std::isnan(chosen[1]));
  CHECK(error_of([] { rank(Scores{1}, Targets{}); }) == "rank: 1 scores for 0 targets");
  CHECK(error_of([] {
          choose_thresholds(Scores{1, 2, 3}, Targets{1, 0, 1}, 2);
        }) == "choose_thresholds: 3 scores and 3 targets for 2 labels");
  CHECK(error_of([] { reliability(Scores{1.5}, Targets{1}); }) == "reliability: a probability must be from 0 to 1: 1.5");
}

}  // namespace hv::train
