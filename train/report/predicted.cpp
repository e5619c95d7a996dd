// What the predictions of a run say: the confusion matrix, and what looking twice would bring.
#include <algorithm>
#include <map>

#include "core/check.h"
#include "train/choice/few.h"
#include "train/report/charts.h"

namespace hv::train {
namespace {

constexpr size_t kPairs = 10;  // pairs of classes that are listed

}  // namespace

Confusion confusion(const Table& predictions, const models::Subnet& subnet, int64_t classes) {
  const std::vector<double>*labels = predictions.find("label"), *predicted = predictions.find("predicted_" + subnet.name);
  HV_CHECK_INPUT(labels && predicted, "predictions.csv: has no columns label and predicted_", subnet.name);
  std::map<std::pair<int64_t, int64_t>, int64_t> counts;
  for (size_t i = 0; i < labels->size(); ++i) {
    const double a = (*labels)[i], b = (*predicted)[i];
    HV_CHECK_INPUT(a >= 0 && b >= 0 && a < static_cast<double>(classes) && b < static_cast<double>(classes),
                   "predictions.csv: row ", i + 1, ": class ", a, " taken for ", b, ", expected classes 0 to ", classes - 1);
    ++counts[{static_cast<int64_t>(a), static_cast<int64_t>(b)}];
  }
  Confusion result{classes, {}, {}};
  for (const auto& [cell, count] : counts) {
    result.cells.push_back({cell.first, cell.second, count});
    if (cell.first != cell.second) result.pairs.push_back(result.cells.back());
  }
  std::stable_sort(result.pairs.begin(), result.pairs.end(), [](const auto& x, const auto& y) { return x.count > y.count; });
  if (result.pairs.size() > kPairs) result.pairs.resize(kPairs);
  return result;
}

Twice looking_twice(const RunData& run, bool continues) {
  const Table& predictions = *run.predictions;
  const auto column = [&](const std::string& name) {
    const std::vector<double>* found = predictions.find(name);
    HV_CHECK_INPUT(found, "predictions.csv: has no column ", name);
    return *found;
  };
  HV_CHECK_INPUT(predictions.rows() > 0 && run.widths.size() > 1, "predictions.csv: has no rows, expected one per image");
  // Pairs of every subnetwork of several axes would be too many to judge on these images.
  constexpr size_t kStages = 8;
  std::vector<size_t> which = a_few(grouped_views(run.subnets()));
  if (which.size() < run.widths.size() && !continues) {
    which = evenly(pareto_front(fronts_of({run}, Cost::macs).contest.priced), kStages - 1);
    if (which.empty() || which.back() + 1 != run.widths.size()) which.push_back(run.widths.size() - 1);
  }
  std::vector<StagePredictions> stages;
  for (const size_t i : which) {
    const WidthCost& width = run.widths[i];
    const std::string& name = width.subnet.name;
    stages.push_back(
        {width.subnet, static_cast<double>(width.macs), column("predicted_" + name), column("confidence_" + name)});
  }
  return Twice(std::move(stages), column("label"), continues);
}

}  // namespace hv::train
