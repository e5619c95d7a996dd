#include "train/cascade/sweep.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "data/sample.h"
#include "train/cascade/options.h"
#include "train/io/numbers.h"
#include "train/io/print.h"
#include "train/log/summary.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

const float* row_of(const StageResults& stages, size_t stage, int64_t image, int64_t classes) {
  return stages.logits[stage].data() + image * classes;
}

// Scores the images' final logits without loading the images: a scorer needs labels and targets.
class Scoring {
 public:
  Scoring(const data::Dataset& dataset, const EvaluateOptions& options)
      : dataset_(dataset), images_(data::sample(dataset, options.limit, options.seed)), scorer_(make_scorer(dataset)) {}
  const std::vector<int64_t>& images() const { return images_; }
  void add(const float* logits) {
    const int64_t classes = dataset_.classes(), image = images_[next_++];
    std::copy_n(logits, classes, logits_.mutable_data());
    batch_.labels = {dataset_.label(image)};
    batch_.groups = {dataset_.group(image)};
    dataset_.target(image, batch_.targets.mutable_data());
    scorer_->add(logits_, batch_);
  }
  std::vector<Metric> metrics() const { return scorer_->metrics(); }

 private:
  const data::Dataset& dataset_;
  std::vector<int64_t> images_;
  std::unique_ptr<Scorer> scorer_;
  size_t next_ = 0;
  Tensor logits_ = Tensor::empty({1, dataset_.classes()});
  data::Batch batch_{{}, Tensor::empty({1, dataset_.classes()}), {}, {}};
};

double measured_seconds(models::ElasticModel& model, const Cascade& cascade, double threshold, const data::Dataset& dataset,
                        const EvaluateOptions& options) {
  using Clock = std::chrono::steady_clock;
  data::LoaderConfig config = data::evaluation_config(options.batch_size, options.limit);
  config.seed = options.seed;
  config.augment.normalization = options.normalization;
  data::Loader loader(dataset, config);
  CascadeRunner runner(model, cascade, threshold, options.batch_size, [](const Answer&) {});
  double seconds = 0;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const data::Batch& batch = loader.at(0, i);
    const auto begin = Clock::now();
    runner.add(batch.images);
    if (i + 1 == loader.batches()) runner.finish();
    seconds += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return seconds;
}

}  // namespace

StageResults stage_results(const models::ElasticModel& model, const Cascade& cascade, const std::vector<Result>& results,
                           const std::vector<std::vector<float>>& logits) {
  StageResults stages;
  double before = 0;  // seconds per image of all looks before
  for (const models::Subnet& stage : cascade.stages) {
    const auto same = [&](const Result& result) { return result.subnet.id == stage.id; };
    const auto at = static_cast<size_t>(std::find_if(results.begin(), results.end(), same) - results.begin());
    const double seconds = 1 / results.at(at).images_per_second;
    stages.logits.push_back(logits[at]);
    stages.seconds.push_back(std::max(0.0, seconds - before));
    if (model.continues()) before = seconds;
  }
  return stages;
}

std::vector<CascadePoint> sweep(models::ElasticModel& model, const Cascade& cascade, const std::vector<double>& thresholds,
                                const data::Dataset& dataset, const EvaluateOptions& options, const StageResults& stages,
                                bool measured) {
  const std::vector<double> through = macs_through(model, cascade);
  const int64_t classes = dataset.classes();
  std::vector<CascadePoint> points;
  Measure measure = cascade.measure;
  for (const double threshold : thresholds) {
    CascadePoint point;
    point.threshold = threshold;
    point.stopped.resize(through.size());
    Scoring scoring(dataset, options);
    const auto images = static_cast<double>(scoring.images().size());
    double seconds = 0;
    for (int64_t i = 0; i < std::ssize(scoring.images()); ++i) {
      size_t stage = 0;
      while (stage + 1 < through.size() && !measure.enough(measure.of(row_of(stages, stage, i, classes), classes), threshold)) {
        ++stage;
      }
      scoring.add(row_of(stages, stage, i, classes));
      point.stopped[stage] += 1;
      for (size_t s = 0; s <= stage; ++s) seconds += stages.seconds[s];
    }
    for (size_t s = 0; s < through.size(); ++s) {
      point.stopped[s] /= images;
      point.mean_macs += point.stopped[s] * through[s];
    }
    point.metrics = scoring.metrics();
    point.expected_stages = images / seconds;
    double last = 0;  // seconds of an image of which every stage takes its look
    for (const double own : stages.seconds) last += own;
    point.expected_macs = through.back() / (point.mean_macs * last);
    if (measured) point.images_per_second = images / measured_seconds(model, cascade, threshold, dataset, options);
    points.push_back(std::move(point));
  }
  return points;
}

std::vector<double> spread_thresholds(const Cascade& cascade, const StageResults& stages, int64_t classes) {
  Measure measure = cascade.measure;
  std::vector<double> values, thresholds;
  for (int64_t i = 0; i < std::ssize(stages.logits[0]) / classes; ++i) {
    const double value = measure.of(row_of(stages, 0, i, classes), classes);
    if (std::isfinite(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  for (size_t i = 1; i <= 8 && !values.empty(); ++i) {
    double value = 0;
    parse_number(print("%.6g", values[i * values.size() / 9]), value);
    if (thresholds.empty() || value > thresholds.back()) thresholds.push_back(value);
  }
  if (thresholds.empty()) thresholds.push_back(0);  // nothing is a number
  return thresholds;
}

std::string sweep_table(const Cascade& cascade, const std::vector<CascadePoint>& points) {
  std::string text = concat("cascade: ", cascade_text(cascade), "; a width answers if ", cascade.measure.rule(), "\nthreshold");
  for (const Metric& metric : points.at(0).metrics) text += ' ' + metric_title(metric);
  text += print(" %14s", "mean MACs");
  for (const models::Subnet& stage : cascade.stages) text += print(" %*s", 9, stage.label.c_str());
  text += print(" %10s %10s %10s\n", "images/s", "by stages", "by MACs");
  for (const CascadePoint& point : points) {
    text += print("%9.6g", point.threshold);
    for (const Metric& metric : point.metrics) text += ' ' + metric_value(metric);
    text += print(" %14.0f", point.mean_macs);
    for (size_t s = 0; s < point.stopped.size(); ++s) {
      const size_t width = std::max<size_t>(9, cascade.stages[s].label.size());
      text += print(" %*.1f%%", static_cast<int>(width) - 1, 100 * point.stopped[s]);
    }
    text += print(" %10.0f %10.0f %10.0f\n", point.images_per_second, point.expected_stages, point.expected_macs);
  }
  return text;
}

Json sweep_json(const Cascade& cascade, const std::vector<CascadePoint>& points) {
  Json stages = Json::empty_list(), rows = Json::empty_list();
  for (const models::Subnet& stage : cascade.stages) stages.push(axes_json(stage));
  for (const CascadePoint& point : points) {
    Json row{{"threshold", point.threshold}};
    for (const Metric& metric : point.metrics) row.add(metric.name, metric.value);
    rows.push(row.add("mean_macs", point.mean_macs)
                  .add("stopped", Json::list(point.stopped))
                  .add("images_per_second", point.images_per_second)
                  .add("expected_from_stages", point.expected_stages)
                  .add("expected_from_macs", point.expected_macs));
  }
  Json json{{"stages", stages}, {"measure", cascade.measure.name()}};
  if (cascade.measure.entropy()) json.add("entropy_classes", cascade.measure.classes());
  return json.add("rows", rows);
}

}  // namespace hv::train
