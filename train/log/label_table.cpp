#include "train/log/label_table.h"

#include <algorithm>

#include "train/io/print.h"
#include "train/log/summary.h"

namespace hv::train {
namespace {

bool of_label(const Metric& metric) { return !metric.label.empty(); }
bool has_labels(const Result& result) { return std::any_of(result.metrics.begin(), result.metrics.end(), of_label); }

// What the first column says: texts from outside, cut so that the numbers stay in sight.
std::string cell(const std::string& label) {
  std::string text = printable(label);
  if (text.size() <= 32) return text;
  size_t end = 0;
  for (size_t next = 0; next <= 31; next += std::max<size_t>(1, letter(text, next))) end = next;
  return text.substr(0, end) + "~";
}

}  // namespace

std::vector<size_t> shown_by_label(const std::vector<Result>& results, size_t most) {
  std::vector<size_t> shown;
  for (size_t i = 0; i < results.size(); ++i) {
    if (has_labels(results[i])) shown.push_back(i);
  }
  if (shown.size() <= most) return shown;
  const auto costs_less = [&](size_t a, size_t b) { return results[a].macs < results[b].macs; };
  const auto [least, largest] = std::minmax_element(shown.begin(), shown.end(), costs_less);
  return *least == *largest ? std::vector{*least} : std::vector{*largest, *least};
}

std::string label_table(const Result& result) {
  if (!has_labels(result)) return "";
  size_t width = 5;
  for (const Metric& metric : result.metrics) width = std::max(width, cell(metric.label).size());
  const auto first = std::find_if(result.metrics.begin(), result.metrics.end(), of_label);
  const auto begin = [&](const std::string& label) { return print("%-*s", static_cast<int>(width), label.c_str()); };
  std::string head = begin("label"), rows;
  for (auto metric = first; metric != result.metrics.end(); ++metric) {
    if (metric->label == first->label) head += ' ' + metric_title(*metric);
    if (metric == first || metric->label != std::prev(metric)->label) rows += '\n' + begin(cell(metric->label));
    rows += ' ' + metric_value(*metric);
  }
  return head + rows + '\n';
}

std::string label_tables(const std::vector<Result>& results) {
  std::string text;
  for (const size_t i : shown_by_label(results, 1)) {
    text += concat('\n', results[i].subnet.label, ", ", results[i].images, " images\n", label_table(results[i]));
  }
  if (text.empty()) return "";
  for (const std::string& line : {results[0].note, results[0].warning}) text += line.empty() ? "" : line + '\n';
  return text;
}

}  // namespace hv::train
