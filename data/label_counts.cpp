#include "data/label_counts.h"

namespace hv::data {

LabelCounter::LabelCounter(int64_t classes, bool several) {
  const auto count = static_cast<size_t>(classes);
  counts_.several = several;
  counts_.positives.assign(count, 0);
  if (several) counts_.together.assign(count * count, 0);
}

void LabelCounter::add(const std::vector<int64_t>& labels, int64_t group) {
  const int64_t classes = std::ssize(counts_.positives);
  ++counts_.images;
  counts_.none += labels.empty();
  if (group >= 0) groups_.insert(group);
  for (const int64_t a : labels) {
    ++counts_.positives[static_cast<size_t>(a)];
    if (!counts_.several) continue;
    for (const int64_t b : labels) ++counts_.together[static_cast<size_t>(a * classes + b)];
  }
}

LabelCounts LabelCounter::counts() const {
  LabelCounts counts = counts_;
  counts.groups = std::ssize(groups_);
  return counts;
}

LabelCounts count_labels(const Dataset& dataset) {
  bool several = false;
  for (int64_t i = 0; i < dataset.size() && !several; ++i) several = dataset.label(i) < 0;
  LabelCounter counter(dataset.classes(), several);
  std::vector<Real> target(static_cast<size_t>(dataset.classes()));
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    dataset.target(i, target.data());
    labels.clear();
    for (size_t k = 0; k < target.size(); ++k) {
      if (target[k] > Real{0.5}) labels.push_back(static_cast<int64_t>(k));
    }
    counter.add(labels, dataset.group(i));
  }
  return counter.counts();
}

std::vector<SplitCounts> count_splits(Source source) {
  source.labels_only = true;
  source.progress = {};
  std::vector<SplitCounts> all;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    if (split == Split::validation && !has_validation(source)) continue;
    all.push_back({split, count_labels(*open(source, split))});
  }
  return all;
}

}  // namespace hv::data
