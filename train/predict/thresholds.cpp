#include "train/predict/thresholds.h"

#include "train/scores/calibration.h"
#include "train/scores/ranking.h"

namespace hv::train {

std::vector<std::vector<double>> thresholds_on(const data::Dataset* validation, models::ElasticModel& model,
                                               const std::vector<models::Subnet>& subnets, EvaluateOptions how) {
  if (!validation || !model.independent()) return {};
  std::vector<std::vector<double>> probabilities(subnets.size());
  how.limit = 0;
  how.scores = {};
  how.thresholds = {};
  how.seen = [&](size_t subnet, const Tensor& logits) {
    for (const double logit : logits.to_vector()) probabilities[subnet].push_back(probability(logit));
  };
  evaluate(model, subnets, *validation, how);
  std::vector<Real> row(static_cast<size_t>(validation->classes()));
  std::vector<uint8_t> targets;
  for (int64_t i = 0; i < validation->size(); ++i) {
    validation->target(i, row.data());
    for (const Real target : row) targets.push_back(target > Real{0.5});
  }
  std::vector<std::vector<double>> thresholds;
  for (const std::vector<double>& scores : probabilities) {
    thresholds.push_back(choose_thresholds(scores, targets, validation->classes()));
  }
  return thresholds;
}

}  // namespace hv::train
