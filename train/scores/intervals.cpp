#include "train/scores/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/parallel.h"
#include "core/random.h"

namespace hv::train {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kNormal975 = 1.959963984540054;  // the 97.5 % point of the standard normal distribution

// One label's pictures as a resample reads them: by rising score, the group and the target of each.
struct Column {
  std::vector<int32_t> group;
  std::vector<uint8_t> positive, last;  // last: of a run of equal scores
  explicit Column(const Ranking& ranking, std::span<const int64_t> groups) : positive(ranking.positive), last(positive.size()) {
    for (const size_t picture : ranking.order) group.push_back(static_cast<int32_t>(groups[picture]));
    for (const size_t end : ranking.ends) last[end - 1] = 1;
  }
  // Whether the positives, and the negatives, come from two groups at least.
  bool varies() const {
    std::set<int32_t> of_positives, of_negatives;
    for (size_t i = 0; i < group.size(); ++i) (positive[i] ? of_positives : of_negatives).insert(group[i]);
    return of_positives.size() > 1 && of_negatives.size() > 1;
  }
  // AUROC if group g counts times[g]; NaN if one side is empty.
  double auroc(const std::vector<int32_t>& times) const {
    int64_t twice = 0, below = 0, yes = 0, no = 0, positives = 0;  // below: negatives under this run; yes, no: in this run
    for (size_t i = 0; i < group.size(); ++i) {
      const int64_t n = times[static_cast<size_t>(group[i])];
      yes += positive[i] ? n : 0;
      no += positive[i] ? 0 : n;
      if (!last[i]) continue;
      twice += yes * (2 * below + no);
      below += no;
      positives += yes;
      yes = no = 0;
    }
    if (positives == 0 || below == 0) return kNone;
    return static_cast<double>(twice) / (2 * static_cast<double>(positives) * static_cast<double>(below));
  }
};

// Of the values that are numbers.
Interval percentiles(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const size_t i = static_cast<size_t>(place), next = std::min(i + 1, values.size() - 1);
    return values[i] + (place - static_cast<double>(i)) * (values[next] - values[i]);
  };
  return {at(0.025), at(0.975)};
}

}  // namespace

double delong_variance(const Ranking& ranking) {
  if (ranking.positives < 2 || ranking.negatives < 2) return kNone;
  const double n1 = static_cast<double>(ranking.positives), n0 = static_cast<double>(ranking.negatives);
  const double mean = auroc(ranking);  // of the V10, and of the V01 as well
  double squares10 = 0, squares01 = 0;
  int64_t yes_below = 0, no_below = 0;
  size_t begin = 0;
  for (const size_t end : ranking.ends) {
    int64_t yes = 0;
    for (size_t i = begin; i < end; ++i) yes += ranking.positive[i];
    const int64_t no = static_cast<int64_t>(end - begin) - yes, yes_above = ranking.positives - yes_below - yes;
    const double v10 = (static_cast<double>(no_below) + 0.5 * static_cast<double>(no)) / n0 - mean;
    const double v01 = (static_cast<double>(yes_above) + 0.5 * static_cast<double>(yes)) / n1 - mean;
    squares10 += static_cast<double>(yes) * v10 * v10;
    squares01 += static_cast<double>(no) * v01 * v01;
    yes_below += yes;
    no_below += no;
    begin = end;
  }
  return squares10 / ((n1 - 1) * n1) + squares01 / ((n0 - 1) * n0);
}

Interval delong_interval(const Ranking& ranking) {
  const double a = auroc(ranking), variance = delong_variance(ranking);
  if (!(a > 0 && a < 1) || std::isnan(variance)) return {};
  const double logit = std::log(a / (1 - a)), reach = kNormal975 * std::sqrt(variance) / (a * (1 - a));
  const auto back = [](double x) { return 1 / (1 + std::exp(-x)); };
  return {back(logit - reach), back(logit + reach)};
}

Bootstrap bootstrap_auroc(const std::vector<Ranking>& labels, std::span<const int64_t> groups, uint64_t seed,
                          int64_t resamples) {
  for (const Ranking& ranking : labels) {
    HV_CHECK(ranking.order.size() == groups.size(), "bootstrap: ", groups.size(), " groups for ", ranking.order.size(),
             " pictures");
  }
  std::vector<Column> columns;
  for (const Ranking& ranking : labels) columns.emplace_back(ranking, groups);
  const int64_t count = groups.empty() ? 0 : 1 + *std::max_element(groups.begin(), groups.end());
  std::vector<std::vector<double>> values(labels.size() + 1, std::vector<double>(static_cast<size_t>(resamples), kNone));
  constexpr int64_t kBlock = 32;  // resamples that share one table of counts
  parallel_for((resamples + kBlock - 1) / kBlock, [&](int64_t block) {
    std::vector<int32_t> times(static_cast<size_t>(count));
    for (int64_t r = block * kBlock; r < std::min(resamples, (block + 1) * kBlock); ++r) {
      Stream stream(seed, Purpose::bootstrap, 0, static_cast<uint64_t>(r));
      std::fill(times.begin(), times.end(), 0);
      for (int64_t i = 0; i < count; ++i) ++times[stream.below(static_cast<uint32_t>(count))];
      double sum = 0, available = 0;
      for (size_t k = 0; k < columns.size(); ++k) {
        const double value = values[k][static_cast<size_t>(r)] = columns[k].auroc(times);
        if (std::isnan(value)) continue;
        sum += value;
        ++available;
      }
      if (available > 0) values.back()[static_cast<size_t>(r)] = sum / available;
    }
  });
  Bootstrap result;
  for (size_t k = 0; k < labels.size(); ++k) {
    result.labels.push_back(columns[k].varies() ? percentiles(values[k]) : Interval{});
  }
  result.mean = percentiles(values.back());
  return result;
}

}  // namespace hv::train
