#include "train/answers/thresholds.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "train/scores/stored_thresholds.h"

namespace hv::train {

Thresholds thresholds_on(const data::Dataset* validation, models::ElasticModel& model,
                         const std::vector<models::Subnet>& subnets, EvaluateOptions how) {
  if (!validation || !model.independent()) return {};
  how.limit = 0;
  how.scores = {};
  how.scores.choose = true;
  how.thresholds = {};
  how.seen = {};
  Thresholds thresholds;
  for (const Result& result : evaluate(model, subnets, *validation, how)) thresholds.push_back(result.thresholds);
  return thresholds;
}

Thresholds thresholds_in(const Header& header, const models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
                         bool ema) {
  if (!model.independent()) return {};
  Thresholds thresholds;
  bool any = false;
  for (const models::Subnet& subnet : subnets) {
    thresholds.push_back(stored_thresholds(header.metrics, header.class_names, subnet, ema));
    any |= !thresholds.back().empty();
    thresholds.back().resize(header.class_names.size(), std::numeric_limits<double>::quiet_NaN());
  }
  return any ? thresholds : Thresholds{};
}

std::string missing_thresholds(const Thresholds& thresholds, const std::vector<models::Subnet>& subnets,
                               const std::vector<std::string>& labels) {
  const std::string from = concat("yes from ", kPlainThreshold);
  if (thresholds.empty()) return concat("no thresholds in this checkpoint (it never saw validation pictures): ", from);
  std::string missing;
  const auto add = [&](const std::string& name) { missing += (missing.empty() ? "" : ", ") + name; };
  const auto none = [](double threshold) { return std::isnan(threshold); };
  std::vector<bool> told(labels.size());
  for (size_t s = 0; s < subnets.size(); ++s) {
    if (std::all_of(thresholds[s].begin(), thresholds[s].end(), none)) {  // it was not evaluated
      add(subnets[s].label);
      continue;
    }
    for (size_t k = 0; k < labels.size(); ++k) {
      if (none(thresholds[s][k]) && !told[k]) add(labels[k]);
      told[k] = told[k] || none(thresholds[s][k]);
    }
  }
  return missing.empty() ? "" : concat("no thresholds in this checkpoint for ", missing, ": ", from, " there");
}

}  // namespace hv::train
