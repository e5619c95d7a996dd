#include "train/findings/judged.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "data/sample.h"
#include "train/answers/thresholds.h"
#include "train/choice/few.h"
#include "train/evaluate.h"
#include "train/predict/need.h"
#include "train/scores/calibration.h"
#include "train/scores/findings.h"

namespace hv::train {
namespace {

constexpr double kMostWork = 1e14, kMostBytes = 64 << 20;  // multiply-adds of all pictures; numbers that are kept

// How many pictures to look at.
int64_t bounded(const Loaded& loaded, const std::vector<models::Subnet>& subnets, const data::Dataset& test) {
  const double kept = 16.0 * static_cast<double>(test.classes() * (std::ssize(subnets) + 2));  // bytes per picture
  const double work = work_of(loaded.model->config(), subnets);
  const double fit = std::min({static_cast<double>(std::min(kJudged, test.size())), kMostWork / work, kMostBytes / kept});
  HV_CHECK_INPUT(fit >= 1, loaded.path, ": one picture at ", subnets.size(), " subnetworks takes ", work, " multiply-adds and ",
                 kept, " bytes, expected at most ", kMostWork, " and ", kMostBytes, "; show fewer with --heads");
  return static_cast<int64_t>(fit);
}

void fill_labels(Judged& judged, const data::Dataset& test) {
  std::vector<Real> row(judged.labels.size());
  std::set<int64_t> patients;
  for (const int64_t picture : judged.pictures) {
    test.target(picture, row.data());
    for (size_t k = 0; k < row.size(); ++k) judged.targets[k].push_back(row[k] > Real{0.5});
    if (test.group(picture) >= 0) patients.insert(test.group(picture));
  }
  judged.patients = std::ssize(patients);
}

}  // namespace

Judged judge(Loaded& loaded, const OpenFolder& run, const std::vector<models::Subnet>& widths, const data::Dataset& test,
             const data::Dataset* validation) {
  const std::vector<models::Subnet> subnets = few_subnets(widths);
  EvaluateOptions how;
  how.limit = bounded(loaded, subnets, test);
  how.batch_size = fitting_batch(loaded.path, loaded.model->config(), subnets, std::min(how.batch_size, how.limit),
                                 Pass::forward, kMostBytes);
  how.seed = loaded.header.seed;
  how.normalization = {loaded.header.mean, loaded.header.std};
  how.scores.details = true;

  Judged judged;
  judged.labels = test.class_names();
  judged.keys = label_keys(judged.labels);
  judged.pictures = data::sample(test, how.limit, how.seed);
  const size_t labels = judged.labels.size(), last = subnets.size() - 1;
  judged.targets.resize(labels);
  judged.widest.resize(labels);
  judged.narrowest.resize(labels);
  fill_labels(judged, test);

  if (validation && validation->size() <= kJudged) {
    const std::vector<std::vector<double>> thresholds = thresholds_on(validation, *loaded.model, {subnets[last]}, how);
    if (!thresholds.empty()) {
      how.thresholds.resize(subnets.size());  // none but for the widest
      how.thresholds[last] = thresholds[0];
      judged.validation = validation->size();
    }
  }
  EvaluateOptions averaged = how;
  how.seen = [&](size_t subnet, const Tensor& logits) {
    for (const size_t end : {size_t{0}, last}) {
      if (subnet != end) continue;
      std::vector<std::vector<double>>& to = end == last ? judged.widest : judged.narrowest;
      for (int64_t i = 0; i < logits.numel(); ++i) {
        to[static_cast<size_t>(i) % labels].push_back(static_cast<double>(logits.data()[i]));
      }
      if (last == 0) break;
    }
  };
  judged.results = evaluate(*loaded.model, subnets, test, how);
  if (last == 0) judged.narrowest = judged.widest;
  const std::vector<TensorEntry>& held = loaded.header.tensors;
  if (std::any_of(held.begin(), held.end(), [](const TensorEntry& entry) { return entry.name.starts_with("ema."); })) {
    const Loaded other = load_model(run, true);
    averaged.thresholds = {};
    averaged.scores.details = false;
    judged.averaged = evaluate(*other.model, {subnets[last]}, test, averaged).at(0);
  }
  return judged;
}

std::vector<size_t> most_frequent(const Judged& judged, size_t most) {
  std::vector<size_t> labels(judged.labels.size());
  std::iota(labels.begin(), labels.end(), size_t{0});
  const auto positives = [&](size_t k) { return std::count(judged.targets[k].begin(), judged.targets[k].end(), uint8_t{1}); };
  std::vector<int64_t> counts;
  for (const size_t k : labels) counts.push_back(positives(k));
  std::stable_sort(labels.begin(), labels.end(), [&](size_t a, size_t b) { return counts[a] > counts[b]; });
  labels.resize(std::min(labels.size(), most));
  std::sort(labels.begin(), labels.end());
  return labels;
}

std::vector<std::vector<double>> probabilities_of(const std::vector<std::vector<double>>& logits) {
  std::vector<std::vector<double>> result = logits;
  for (std::vector<double>& label : result) {
    for (double& value : label) value = probability(value);
  }
  return result;
}

}  // namespace hv::train
