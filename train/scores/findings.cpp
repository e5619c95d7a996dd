#include "train/scores/findings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "train/scores/calibration.h"
#include "train/scores/intervals.h"

namespace hv::train {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kResamples = 1000;

// The numbers of groups, from 0 without gaps. A picture without a group (-1) is one of its own.
std::vector<int64_t> dense_groups(const std::vector<int64_t>& groups) {
  std::map<int64_t, int64_t> numbers;
  std::vector<int64_t> dense;
  int64_t count = 0;
  for (const int64_t group : groups) {
    const bool alone = group < 0;
    const auto found = alone ? numbers.end() : numbers.find(group);
    const int64_t number = found == numbers.end() ? count++ : found->second;
    if (!alone) numbers[group] = number;
    dense.push_back(number);
  }
  return dense;
}

class FindingsScorer : public Scorer {
 public:
  FindingsScorer(const std::vector<std::string>& labels, const ScoreOptions& options)
      : labels_(labels), keys_(label_keys(labels)), options_(options), logits_(labels.size()), targets_(labels.size()) {
    const size_t given = options.thresholds.size();
    HV_CHECK(given == 0 || given == labels.size(), "findings: ", given, " thresholds for ", labels.size(), " labels");
  }
  void add(const Tensor& logits, const data::Batch& batch) override {
    HV_CHECK(logits.size(-1) == std::ssize(labels_) && logits.shape() == batch.targets.shape(), "findings: logits ",
             logits.shape(), " and targets ", batch.targets.shape(), " for ", labels_.size(), " labels");
    const Tensor targets = batch.targets.contiguous();
    for (int64_t i = 0; i < logits.size(0); ++i) {
      for (size_t k = 0; k < labels_.size(); ++k) {
        const size_t at = static_cast<size_t>(i) * labels_.size() + k;
        const Real target = targets.data()[at];
        HV_CHECK(target == 0 || target == 1, "findings: the target of ", labels_[k], " must be 0 or 1: ", target);
        logits_[k].push_back(logits.data()[at]);
        targets_[k].push_back(target == 1);
      }
      groups_.push_back(batch.groups.empty() ? -1 : batch.groups[static_cast<size_t>(i)]);
    }
  }
  std::vector<Metric> metrics() const override;
  std::vector<double> thresholds() const override;
  std::string note() const override;
  std::string warning() const override { return kNoMedicalDevice; }

 private:
  struct Label {  // what the pictures say of one label
    double auroc, precision, loss, brier, calibration, f1;
  };
  Label score(size_t k, const Ranking& ranking) const;
  void put_label(std::vector<Metric>& to, size_t k, const Label& label, const Ranking& ranking, const Interval* interval) const;
  bool with_f1() const { return options_.details && !options_.thresholds.empty(); }
  bool grouped() const {
    return std::any_of(groups_.begin(), groups_.end(), [](int64_t group) { return group >= 0; });
  }

  std::vector<std::string> labels_, keys_;
  ScoreOptions options_;
  std::vector<std::vector<Real>> logits_;      // [label][picture]
  std::vector<std::vector<uint8_t>> targets_;  // as well
  std::vector<int64_t> groups_;                // [picture]
};

FindingsScorer::Label FindingsScorer::score(size_t k, const Ranking& ranking) const {
  std::vector<double> probabilities;
  double loss = 0;
  for (size_t i = 0; i < logits_[k].size(); ++i) {
    const double x = static_cast<double>(logits_[k][i]), wrong = targets_[k][i] ? -x : x;
    probabilities.push_back(probability(x));
    loss += std::isnan(x) ? x : std::max(wrong, 0.0) + std::log1p(std::exp(-std::abs(x)));
  }
  const double f1 = options_.thresholds.empty() ? kNone : f1_at(rank(probabilities, targets_[k]), options_.thresholds[k]);
  return {auroc(ranking),
          average_precision(ranking),
          loss / static_cast<double>(logits_[k].size()),
          brier_score(probabilities, targets_[k]),
          calibration_error(probabilities, targets_[k]),
          f1};
}

std::vector<Metric> FindingsScorer::metrics() const {
  std::vector<Ranking> rankings;
  std::vector<Label> labels;
  for (size_t k = 0; k < labels_.size(); ++k) {
    // Logits, not probabilities: those of large logits are all 1.
    rankings.push_back(rank(std::vector<double>(logits_[k].begin(), logits_[k].end()), targets_[k]));
    labels.push_back(score(k, rankings.back()));
  }
  const auto mean = [&](double Label::*which) {  // of the labels; a NaN of one is one of the mean
    double sum = 0;
    for (const Label& label : labels) sum += label.*which;
    return sum / static_cast<double>(labels.size());
  };
  const auto mean_of_available = [&](double Label::*which) {
    double sum = 0, count = 0;
    for (const Label& label : labels) {
      if (std::isnan(label.*which)) continue;
      sum += label.*which;
      ++count;
    }
    return count > 0 ? sum / count : kNone;
  };
  const int64_t available = std::count_if(rankings.begin(), rankings.end(), [](const auto& r) { return r.available(); });
  Bootstrap drawn;
  if (options_.details) drawn = bootstrap_auroc(rankings, dense_groups(groups_), options_.seed, kResamples);

  std::vector<Metric> all = {{"auroc", "AUROC", mean_of_available(&Label::auroc), 4, true, ""}};
  if (options_.details) {
    all.push_back({"auroc_low", "low", drawn.mean.low, 4, false, ""});
    all.push_back({"auroc_high", "high", drawn.mean.high, 4, false, ""});
  }
  all.push_back({"map", "mAP", mean_of_available(&Label::precision), 4, true, ""});
  all.push_back({"loss", "loss", mean(&Label::loss), 4, true, ""});
  all.push_back({"brier", "Brier", mean(&Label::brier), 4, false, ""});
  all.push_back({"ece", "ECE", mean(&Label::calibration), 4, false, ""});
  if (with_f1()) all.push_back({"f1", "F1", mean_of_available(&Label::f1), 4, false, ""});
  all.push_back({"labels", "labels", static_cast<double>(available), 0, false, ""});
  for (size_t k = 0; k < labels_.size(); ++k) {
    put_label(all, k, labels[k], rankings[k], grouped() && options_.details ? &drawn.labels[k] : nullptr);
  }
  return all;
}

// `interval`: that of the patients; null: DeLong's.
void FindingsScorer::put_label(std::vector<Metric>& to, size_t k, const Label& label, const Ranking& ranking,
                               const Interval* interval) const {
  const auto put = [&](const std::string& name, const char* title, double value, int digits = 4) {
    to.push_back({name, title, value, digits, false, labels_[k]});
  };
  const std::string auroc = "auroc_" + keys_[k];
  if (options_.details) put("positives_" + keys_[k], "positives", static_cast<double>(ranking.positives), 0);
  put(auroc, "AUROC", label.auroc);
  if (!options_.details) return;
  const Interval ends = interval ? *interval : delong_interval(ranking);
  put(auroc + "_low", "low", ends.low);
  put(auroc + "_high", "high", ends.high);
  put("ap_" + keys_[k], "AP", label.precision);
  if (!with_f1()) return;
  put("f1_" + keys_[k], "F1", label.f1);
  put("threshold_" + keys_[k], "from", options_.thresholds[k]);
}

std::vector<double> FindingsScorer::thresholds() const {
  std::vector<double> best;
  for (size_t k = 0; k < labels_.size() && options_.choose; ++k) {
    std::vector<double> probabilities;  // not logits: an answer compares probabilities, and of large logits these are equal
    for (const Real logit : logits_[k]) probabilities.push_back(probability(static_cast<double>(logit)));
    best.push_back(best_threshold(rank(probabilities, targets_[k])));
  }
  return best;
}

std::string FindingsScorer::note() const {
  if (!options_.details) return "";
  const std::vector<int64_t> groups = dense_groups(groups_);
  const int64_t count = groups.empty() ? 0 : 1 + *std::max_element(groups.begin(), groups.end());
  std::string text = concat("low, high: 95 % interval of AUROC, ");
  if (!grouped()) text += "by DeLong; of means, ";
  text += concat("from ", kResamples, " resamples of the ", count, grouped() ? " patients" : " pictures");
  const int64_t available = std::count_if(targets_.begin(), targets_.end(), [](const std::vector<uint8_t>& targets) {
    return std::set<uint8_t>(targets.begin(), targets.end()).size() == 2;
  });
  if (available == std::ssize(labels_)) return text;
  return text + concat("; means of AUROC and AP are over ", available, " of ", labels_.size(),
                       " labels, those with positive and negative pictures");
}

}  // namespace

std::vector<std::string> label_keys(const std::vector<std::string>& labels) {
  std::set<std::string> used = {"low", "high"};  // the ends of the mean's interval
  std::vector<std::string> keys;
  for (const std::string& label : labels) {
    std::string safe;
    for (const char c : label) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      safe += plain ? c : '_';
    }
    std::string key = safe;
    const auto taken = [&] { return used.contains(key) || used.contains(key + "_low") || used.contains(key + "_high"); };
    for (int number = 2; taken(); ++number) key = concat(safe, '_', number);
    for (const char* end : {"", "_low", "_high"}) used.insert(key + end);
    keys.push_back(key);
  }
  return keys;
}

std::unique_ptr<Scorer> make_findings_scorer(const data::Dataset& dataset, const ScoreOptions& options) {
  return std::make_unique<FindingsScorer>(dataset.class_names(), options);
}

}  // namespace hv::train
