#include "train/log/results.h"

#include <algorithm>

#include "train/io/print.h"
#include "train/log/summary.h"
#include "train/pareto/front.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

// Which rows are worth their cost; none if one axis tells them apart.
std::vector<bool> on_front(const std::vector<Result>& results) {
  std::vector<bool> marks(results.size());
  if (chosen_axes(results.at(0).subnet) < 2) return marks;
  std::vector<Priced> points;
  for (const Result& r : results) points.push_back({static_cast<double>(r.macs), r.metrics.at(0).value});
  for (const size_t i : pareto_front(points)) marks[i] = true;
  return marks;
}

}  // namespace

std::vector<std::string> result_orders() { return {"model", "macs", "top1", "name"}; }

std::vector<Result> ordered(std::vector<Result> results, const std::string& order) {
  std::stable_sort(results.begin(), results.end(), [&](const Result& a, const Result& b) {
    if (order == "macs") return a.macs < b.macs;
    if (order == "top1") return a.metrics.at(0).value > b.metrics.at(0).value;
    return order == "name" && a.subnet.name < b.subnet.name;
  });
  return results;
}

std::string results_table(const std::vector<Result>& results, const std::string& order) {
  std::string text = axis_names(results.at(0).subnet) + print(" %12s %14s", "params", "MACs");
  for (const Metric& metric : results[0].metrics) text += metric.label.empty() ? ' ' + metric_title(metric) : "";
  text += print(" %10s\n", "images/s");
  const std::vector<bool> marks = on_front(results);
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    if (i > 0 && order == "model") text += group_gap(results[i - 1].subnet, r.subnet);
    text += axis_values(r.subnet) + print(" %12lld %14lld", static_cast<long long>(r.params), static_cast<long long>(r.macs));
    for (const Metric& metric : r.metrics) text += metric.label.empty() ? ' ' + metric_value(metric) : "";
    text += print(" %10.0f%s\n", r.images_per_second, marks[i] ? " *" : "");
  }
  if (std::find(marks.begin(), marks.end(), true) != marks.end()) {
    text += concat("*: on the Pareto front: no row of as few MACs has a higher ", results[0].metrics[0].title,
                   ", none of fewer as high a one\n");
  }
  return text;
}

Json results_json(const std::vector<Result>& results) {
  const std::vector<bool> marks = on_front(results);
  Json rows = Json::empty_list();
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    Json row = axes_json(r.subnet).add("params", r.params).add("macs", r.macs);
    for (const Metric& metric : r.metrics) row.add(metric.name, metric.value);
    if (chosen_axes(r.subnet) > 1) row.add("front", static_cast<bool>(marks[i]));
    rows.push(row.add("images", r.images));
  }
  return Json{{"results", rows}};
}

}  // namespace hv::train
