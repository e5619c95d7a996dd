#include "train/scores/stored_thresholds.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "train/scores/findings.h"

namespace hv::train {
namespace {

std::string begin_of(bool ema) { return ema ? "ema_threshold_" : "threshold_"; }

std::string entry(bool ema, const std::string& key, const models::Subnet& subnet) {
  return concat(begin_of(ema), key, '.', subnet.label);
}

}  // namespace

bool is_threshold(const std::string& metric) {
  return metric.find('.') != std::string::npos && (metric.starts_with(begin_of(false)) || metric.starts_with(begin_of(true)));
}

std::map<std::string, double> thresholds_to_store(const std::vector<std::string>& labels, const std::vector<Result>& live,
                                                  const std::vector<Result>& average) {
  const std::vector<std::string> keys = label_keys(labels);
  std::map<std::string, double> entries;
  size_t bytes = 0;
  for (const bool ema : {false, true}) {
    for (const Result& result : ema ? average : live) {
      for (size_t k = 0; k < result.thresholds.size(); ++k) {
        if (!std::isfinite(result.thresholds[k])) continue;
        const std::string name = entry(ema, keys.at(k), result.subnet);
        bytes += name.size() + 16;  // and its length, its value
        entries[name] = result.thresholds[k];
      }
    }
  }
  return bytes > kMostThresholdBytes ? std::map<std::string, double>{} : entries;
}

std::vector<double> stored_thresholds(const std::map<std::string, double>& metrics, const std::vector<std::string>& labels,
                                      const models::Subnet& subnet, bool ema) {
  std::vector<double> thresholds;
  for (const std::string& key : label_keys(labels)) {
    const auto found = metrics.find(entry(ema, key, subnet));
    const bool good = found != metrics.end() && std::isfinite(found->second);
    thresholds.push_back(good ? found->second : std::numeric_limits<double>::quiet_NaN());
  }
  const bool any = std::any_of(thresholds.begin(), thresholds.end(), [](double t) { return !std::isnan(t); });
  return any ? thresholds : std::vector<double>{};
}

}  // namespace hv::train
