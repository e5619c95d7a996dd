#include "train/scores/scorer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "train/scores/findings.h"

namespace hv::train {
namespace {

// For one label per image: top-1 and top-5 accuracy in per cent, and the mean cross-entropy in nats, without label smoothing.
// If two logits are equal, the lower class is ranked higher.
class ClassScorer : public Scorer {
 public:
  void add(const Tensor& logits, const data::Batch& batch) override {
    const int64_t classes = logits.size(-1), top = std::min<int64_t>(5, classes);
    const Real* row = logits.data();
    for (const int64_t label : batch.labels) {
      int64_t above = 0;
      double largest = row[0];
      for (int64_t k = 0; k < classes; ++k) {
        above += ranks_above(row, k, label, classes);
        largest = std::max(largest, static_cast<double>(row[k]));
      }
      double sum = 0;
      for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(row[k]) - largest);
      top1_ += above < 1;
      top5_ += above < top;
      loss_ += std::log(sum) + largest - static_cast<double>(row[label]);
      row += classes;
    }
    images_ += static_cast<double>(batch.labels.size());
  }
  std::vector<Metric> metrics() const override {
    return {{"top1", "top-1", top1_ * (100 / images_), 2, true},
            {"top5", "top-5", top5_ * (100 / images_), 2, false},
            {"loss", "loss", loss_ / images_, 4, true}};
  }

 private:
  // How many ranks class k adds above the label. The comparisons are negated so that a NaN ranks above every number: an image
  // whose label has a NaN is never correct.
  static int64_t ranks_above(const Real* row, int64_t k, int64_t label, int64_t classes) {
    if (k < label) return !(row[k] < row[label]);
    if (k > label) return !(row[k] <= row[label]);
    return std::isnan(row[k]) ? classes : 0;
  }
  double top1_ = 0, top5_ = 0, loss_ = 0, images_ = 0;
};

}  // namespace

double Result::metric(const std::string& name) const {
  for (const Metric& metric : metrics) {
    if (metric.name == name) return metric.value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<ScorerKind>& scorer_kinds() {
  static std::vector<ScorerKind> table = {{"classes", [](auto&, auto&) { return std::make_unique<ClassScorer>(); }},
                                          {"findings", make_findings_scorer}};
  return table;
}

std::unique_ptr<Scorer> make_scorer(const data::Dataset& dataset, const ScoreOptions& options) {
  const std::string name = dataset.scorer();
  std::string known;
  for (const ScorerKind& kind : scorer_kinds()) {
    if (kind.name == name) return kind.make(dataset, options);
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  fail(Fault::failure, "evaluate: no scorer '", name, "'; known: ", known);
}

}  // namespace hv::train
