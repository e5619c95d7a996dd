// Evaluation: every width on the same images.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "models/elastic.h"

namespace hv::train {

struct WidthResult {
  models::Subnet subnet;
  int64_t params = 0, macs = 0, images = 0;
  double top1 = 0, top5 = 0;  // per cent
  double loss = 0;            // mean cross-entropy, no smoothing
  double images_per_second = 0;
};

struct EvaluateOptions {
  int64_t batch_size = 250;
  int64_t limit = 0;                                      // the first `limit` images; 0: all
  std::optional<data::Normalization> normalization = {};  // of the images; default: the data set's
  std::function<bool()> stop;                             // asked between batches; true ends early, with the empty result
  std::function<void(size_t width, const Tensor& logits)> seen = {};  // told each batch's logits [B, classes] at each width
};

// One result a width, in the order given. The model is left in the mode it was in.
std::vector<WidthResult> evaluate(models::ElasticModel& model, const std::vector<models::Subnet>& widths,
                                  const data::Dataset& dataset, const EvaluateOptions& options = {});

double mean_top1(const std::vector<WidthResult>& results);

}  // namespace hv::train
