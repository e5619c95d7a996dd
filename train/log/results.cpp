#include "train/log/results.h"

#include <algorithm>

#include "train/io/print.h"
#include "train/log/summary.h"
#include "train/subnets.h"

namespace hv::train {

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
  for (const Metric& metric : results[0].metrics) text += ' ' + metric_title(metric);
  text += print(" %10s\n", "images/s");
  const models::Subnet* before = nullptr;
  for (const Result& r : results) {
    if (before && order == "model") text += group_gap(*before, r.subnet);
    before = &r.subnet;
    text += axis_values(r.subnet) + print(" %12lld %14lld", static_cast<long long>(r.params), static_cast<long long>(r.macs));
    for (const Metric& metric : r.metrics) text += ' ' + metric_value(metric);
    text += print(" %10.0f\n", r.images_per_second);
  }
  return text;
}

Json results_json(const std::vector<Result>& results) {
  Json rows = Json::empty_list();
  for (const Result& r : results) {
    Json row = axes_json(r.subnet).add("params", r.params).add("macs", r.macs);
    for (const Metric& metric : r.metrics) row.add(metric.name, metric.value);
    rows.push(row.add("images", r.images));
  }
  return Json{{"results", rows}};
}

}  // namespace hv::train
