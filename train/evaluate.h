// Evaluation: runs every subnetwork on the same images and computes its metrics.
// Thread rule: one thread calls; the forward passes use all cores.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "train/scores/scorer.h"

namespace hv::train {

struct EvaluateOptions {
  int64_t batch_size = 250;
  int64_t limit = 0;                                      // only that many images, chosen by `seed` (data/sample.h); 0: all
  uint64_t seed = 0;                                      // of the run, so that all its evaluations use the same images
  std::optional<data::Normalization> normalization = {};  // of the images; empty: that of the data set
  ScoreOptions scores = {};                               // of the scorers; their seed is `seed`
  std::vector<std::vector<double>> thresholds = {};  // ScoreOptions::thresholds of each subnetwork; empty: those of `scores`
  std::function<bool()> stop;  // called after each batch; if it returns true, evaluate() returns no results
  // Called per batch with contiguous logits [B, classes], of the images of data::sample() in its order.
  std::function<void(size_t subnet, const Tensor& logits)> seen = {};
};

// Returns one result per subnetwork, in the order given. The mode of the model (training or evaluation) is restored afterwards.
// A data set whose classes or image size differ from the model's is an error (Fault::failure).
std::vector<Result> evaluate(models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
                             const data::Dataset& dataset, const EvaluateOptions& options = {});

double mean_score(const std::vector<Result>& results);  // mean of the first metric over the subnetworks; 0 if there are none

}  // namespace hv::train
