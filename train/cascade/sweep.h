// Evaluates a cascade at several thresholds: what it gets right, what it costs, and how fast it is.
//
// Invariants
//   1. The metrics come from the logits of every stage on every image, which are computed once for all thresholds.
//   2. The speed is measured: the cascade runs, and only what waits for its next look is looked at again. As in evaluate(), the
//      time of loading does not count.
// Thread rule: one thread calls; the forward passes use all cores.
#pragma once

#include <vector>

#include "train/cascade/cascade.h"
#include "train/evaluate.h"
#include "train/io/json.h"

namespace hv::train {

// What every stage says of every image (data::sample() of the evaluation), and how fast each alone was.
struct StageResults {
  std::vector<std::vector<float>> logits;  // [stage][image * classes]
  std::vector<double> seconds;             // [stage]: per image, of its look alone
};
// Out of the results of an evaluation that has all stages, in whose order `logits` are.
StageResults stage_results(const models::ElasticModel& model, const Cascade& cascade, const std::vector<Result>& results,
                           const std::vector<std::vector<float>>& logits);

struct CascadePoint {
  double threshold = 0;
  std::vector<Metric> metrics;
  double mean_macs = 0;
  std::vector<double> stopped;   // by stage: share of the images that it answered
  double images_per_second = 0;  // measured
  double expected_stages = 0,
         expected_macs = 0;  // the same, from the time of each stage alone; from mean MACs and the last stage
};
// One point per threshold, in their order. The model is in evaluation mode. The speed is not measured if `measured` is false.
std::vector<CascadePoint> sweep(models::ElasticModel& model, const Cascade& cascade, const std::vector<double>& thresholds,
                                const data::Dataset& dataset, const EvaluateOptions& options, const StageResults& stages,
                                bool measured = true);
// Eight thresholds or fewer at which equally many more images each time are answered by the first stage: six digits each.
std::vector<double> spread_thresholds(const Cascade& cascade, const StageResults& stages, int64_t classes);

// The two last columns are what the speed should be: the expected_ ones.
std::string sweep_table(const Cascade& cascade, const std::vector<CascadePoint>& points);
Json sweep_json(const Cascade& cascade, const std::vector<CascadePoint>& points);

}  // namespace hv::train
