#include "train/log/summary.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "train/choice/few.h"
#include "train/evaluate.h"
#include "train/files/file.h"
#include "train/io/print.h"
#include "train/subnets.h"

namespace hv::train {

constexpr size_t kLongestRow = 1 << 16;

Summary::Summary(const Place& place, const std::vector<models::Subnet>& subnets, const std::vector<Metric>& metrics, bool ema,
                 int64_t step)
    : place_(place), subnets_(subnets), head_("step,images,epoch,seconds,lr,train_loss") {
  for (const char* weights : {"", "ema_"}) {
    if (*weights && !ema) continue;
    for (const Metric& metric : metrics) {
      if (!metric.summary) continue;
      for (const models::Subnet& subnet : subnets_) head_ += concat(',', weights, metric.name, '_', subnet.name);
    }
  }
  if (!file_exists(place)) return;
  InputFile old(place);
  bool first = true, same = false;
  each_line(old, kLongestRow, [&](const std::string& line, bool) {
    if (std::exchange(first, false)) {
      same = line == head_;
      return;
    }
    int64_t at = -1;
    std::istringstream(line) >> at;
    if (same && at >= 0 && at <= step) rows_.emplace_back(line.substr(0, line.find(',', line.find(',') + 1)), line);
  });
}

void Summary::add(const EvalEvent& event) {
  const RunPoint& at = event.at;
  const std::string key = concat(at.step, ',', event.live.empty() ? 0 : event.live[0].images);
  std::string line = key + print(",%.4f,%.1f,%.6g,%.6f", at.epoch, at.seconds, at.lr, event.train_loss);
  for (const std::vector<Result>* results : {&event.live, &event.ema}) {
    for (size_t m = 0; !results->empty() && m < results->front().metrics.size(); ++m) {
      if (!results->front().metrics[m].summary) continue;
      for (const models::Subnet& subnet : subnets_) {
        const auto result =
            std::find_if(results->begin(), results->end(), [&](auto& one) { return one.subnet.id == subnet.id; });
        line += ',';
        if (result != results->end() && !std::isnan(result->metrics[m].value))
          line += print("%.*f", result->metrics[m].digits + 2, result->metrics[m].value);
      }
    }
  }
  std::erase_if(rows_, [&](const auto& old) { return old.first == key; });
  rows_.emplace_back(key, line);
  std::string text = head_ + "\n";
  for (const auto& [name, old] : rows_) text += old + "\n";
  write_file(place_, text);
}

namespace {

// Wide enough for 100.00 and for 12.3456, and for a space before the number.
int column_width(const Metric& metric) { return std::max({7, metric.digits + 4, static_cast<int>(metric.title.size()) + 1}); }

std::string value_text(double value, int digits) { return std::isnan(value) ? "n/a" : print("%.*f", digits, value); }

// "top-1 of 54: best 61.0 (heads8-px32-keep1), mean 52.8, worst 41.3 (heads3-px16-keep0.5)"
std::string range_line(const std::vector<Result>& results) {
  const auto less = [](const Result& a, const Result& b) { return a.metrics[0].value < b.metrics[0].value; };
  const auto [worst, best] = std::minmax_element(results.begin(), results.end(), less);
  const Metric& metric = results.at(0).metrics.at(0);
  const auto shown = [&](double value) { return value_text(value, metric.digits - 1); };
  return concat(metric.title, " of ", results.size(), ": best ", shown(best->metrics[0].value), " (", best->subnet.name,
                "), mean ", shown(mean_score(results)), ", worst ", shown(worst->metrics[0].value), " (", worst->subnet.name,
                ")");
}

}  // namespace

std::string metric_title(const Metric& metric) { return print("%*s", column_width(metric), metric.title.c_str()); }
std::string metric_value(const Metric& metric) {
  return print("%*s", column_width(metric), value_text(metric.value, metric.digits).c_str());
}

std::string subnet_table(const std::vector<Result>& live, const std::vector<Result>& ema) {
  const Metric& metric = live.at(0).metrics.at(0);
  std::string text = axis_names(live[0].subnet) + print(" %12s %14s ", "params", "MACs") + metric_title(metric) +
                     print("%s %10s\n", ema.empty() ? "" : "  (EMA)", "images/s");
  for (size_t i = 0; i < live.size(); ++i) {
    const Result& r = live[i];
    if (i > 0) text += group_gap(live[i - 1].subnet, r.subnet);
    text += axis_values(r.subnet) + print(" %12lld %14lld ", static_cast<long long>(r.params), static_cast<long long>(r.macs)) +
            metric_value(r.metrics[0]);
    if (!ema.empty()) text += print(" %6s", value_text(ema[i].metrics[0].value, metric.digits).c_str());
    text += print(" %10.0f\n", r.images_per_second);
  }
  return text;
}

std::string score_line(const std::vector<Result>& results) {
  const Metric& metric = results.at(0).metrics.at(0);
  if (results.size() > kFew) return range_line(results);
  std::string text = metric.title;
  for (const Result& result : results) text += ' ' + value_text(result.metrics[0].value, metric.digits - 1);
  return text + concat(" (mean ", value_text(mean_score(results), metric.digits - 1), ')');
}

}  // namespace hv::train
