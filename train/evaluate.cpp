#include "train/evaluate.h"

#include <chrono>
#include <cmath>

#include "data/loader.h"

namespace hv::train {
namespace {

using Clock = std::chrono::steady_clock;

// Adds a batch's figures to the sums in `result`. Of equal logits the lower class counts as the higher score.
void score(const Tensor& logits, const std::vector<int64_t>& labels, WidthResult& result) {
  const int64_t classes = logits.size(-1), top = std::min<int64_t>(5, classes);
  const Real* row = logits.data();
  for (const int64_t label : labels) {
    int64_t above = 0;
    double largest = row[0];
    for (int64_t k = 0; k < classes; ++k) {
      // Written so that a NaN is above everything: it never counts as a hit.
      above += k < label ? !(row[k] < row[label]) : k > label ? !(row[k] <= row[label]) : std::isnan(row[k]) ? classes : 0;
      largest = std::max(largest, static_cast<double>(row[k]));
    }
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(row[k]) - largest);
    result.top1 += above < 1;
    result.top5 += above < top;
    result.loss += std::log(sum) + largest - static_cast<double>(row[label]);
    row += classes;
  }
  result.images += static_cast<int64_t>(labels.size());
}

}  // namespace

std::vector<WidthResult> evaluate(models::ElasticModel& model, const std::vector<models::Subnet>& widths,
                                  const data::Dataset& dataset, const EvaluateOptions& options) {
  HV_CHECK(dataset.classes() == model.classes() && dataset.height() == model.image_size(), "evaluate: ", dataset.name(),
           " has ", dataset.classes(), " classes and images of ", dataset.height(), "; the model wants ", model.classes(),
           " and ", model.image_size());
  const NoGrad off;
  const bool training = model.training();
  model.eval();
  std::vector<WidthResult> results;
  for (const models::Subnet& width : widths) results.push_back({width, model.params(width), model.macs(width)});
  std::vector<double> seconds(widths.size());
  data::LoaderConfig config = data::evaluation_config(options.batch_size, options.limit);
  config.augment.normalization = options.normalization;
  data::Loader loader(dataset, config);
  bool stopped = false;
  for (int64_t i = 0; i < loader.batches() && !stopped; ++i) {
    const data::Batch& batch = loader.at(0, i);  // loaded once for all widths
    for (size_t w = 0; w < widths.size(); ++w) {
      const auto begin = Clock::now();
      const Tensor logits = model.forward(batch.images, widths[w]).contiguous();
      seconds[w] += std::chrono::duration<double>(Clock::now() - begin).count();
      score(logits, batch.labels, results[w]);
      if (options.seen) options.seen(w, logits);
    }
    stopped = options.stop && options.stop();
  }
  model.train(training);
  if (stopped) return {};
  for (size_t w = 0; w < results.size(); ++w) {
    WidthResult& result = results[w];
    const double n = static_cast<double>(result.images);
    result.top1 *= 100 / n;
    result.top5 *= 100 / n;
    result.loss /= n;
    result.images_per_second = n / seconds[w];
  }
  return results;
}

double mean_top1(const std::vector<WidthResult>& results) {
  double sum = 0;
  for (const WidthResult& result : results) sum += result.top1;
  return results.empty() ? 0 : sum / static_cast<double>(results.size());
}

}  // namespace hv::train
