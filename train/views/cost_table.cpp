#include "train/views/cost_table.h"

#include <algorithm>

#include "core/check.h"
#include "train/io/print.h"
#include "train/scores/stored_thresholds.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

// "65>33>17"; "65" if none is dropped.
std::string tokens_text(const models::Cost& cost) {
  std::string text;
  for (const int64_t tokens : cost.tokens) text += concat(text.empty() ? "" : ">", tokens);
  return text;
}

// Accuracies are in per cent, other scores from 0 to 1.
std::string score_text(const std::string& metric, double value) {
  return print(metric.ends_with("top1") ? "%.2f" : "%.4f", value);
}

}  // namespace

std::string cost_table(const std::vector<models::Cost>& costs, const std::map<std::string, double>& metrics) {
  if (costs.empty()) return "";
  // Stored as "top1.heads=5" and "ema_top1.heads=5": the metric that decides, whatever its name.
  std::vector<std::string> scores;
  for (const auto& [name, value] : metrics) {
    const std::string metric = name.substr(0, name.find('.'));
    if (metric == name || is_threshold(name) || std::find(scores.begin(), scores.end(), metric) != scores.end()) continue;
    scores.insert(metric.rfind("ema_", 0) == 0 ? scores.end() : scores.begin(), metric);
  }
  const auto title = [](const std::string& metric) {
    if (metric == "top1") return std::string("top-1");
    return metric.rfind("ema_", 0) == 0 ? std::string("(EMA)") : metric;
  };
  size_t longest = 0;  // text of tokens
  for (const models::Cost& cost : costs) longest = std::max(longest, tokens_text(cost).size());
  const auto tokens = [&](const std::string& text) {
    return longest > 0 ? print("  %*s", static_cast<int>(std::max(longest, size_t{6})), text.c_str()) : "";
  };
  std::string table = print("widths\n  %s %12s %14s %14s", axis_names(costs[0].subnet).c_str(), "params", "MACs", "with norms");
  for (const std::string& metric : scores) table += print(" %6s", printable(title(metric)).c_str());
  table += tokens("tokens");
  for (size_t i = 0; i < costs.size(); ++i) {
    const models::Cost& cost = costs[i];
    if (i > 0) table += group_gap(costs[i - 1].subnet, cost.subnet);
    table += print("\n  %s %12lld %14lld %14lld", axis_values(cost.subnet).c_str(), static_cast<long long>(cost.params),
                   static_cast<long long>(cost.macs), static_cast<long long>(cost.macs_with_norms));
    for (const std::string& metric : scores) {
      const auto found = metrics.find(metric + "." + cost.subnet.label);
      table += print(" %6s", found == metrics.end() ? "-" : score_text(metric, found->second).c_str());
    }
    table += tokens(tokens_text(cost));
  }
  table +=
      "\n  MACs of one image: products, convolution, attention; with norms: and 5 a LayerNorm number, as fvcore and timm "
      "count\n";
  if (longest > 0) table += "  tokens: those that enter the first block > those left after each choice\n";
  return table;
}

}  // namespace hv::train
