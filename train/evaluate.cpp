#include "train/evaluate.h"

#include <chrono>

#include "data/loader.h"

namespace hv::train {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

std::vector<Result> evaluate(models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
                             const data::Dataset& dataset, const EvaluateOptions& options) {
  HV_CHECK(dataset.classes() == model.classes() && dataset.height() == model.image_size(), "evaluate: ", dataset.name(),
           " has ", dataset.classes(), " classes and images of ", dataset.height(), "; the model wants ", model.classes(),
           " and ", model.image_size());
  const NoGrad off;
  const bool training = model.training();
  model.eval();
  std::vector<Result> results;
  std::vector<std::unique_ptr<Scorer>> scorers;
  ScoreOptions scores = options.scores;
  scores.seed = options.seed;
  for (const models::Subnet& subnet : subnets) {
    results.push_back({subnet, model.params(subnet), model.macs(subnet), 0, {}, 0, "", {}});
    if (!options.thresholds.empty()) scores.thresholds = options.thresholds.at(scorers.size());
    scorers.push_back(make_scorer(dataset, scores));
  }
  std::vector<double> seconds(subnets.size());
  data::LoaderConfig config = data::evaluation_config(options.batch_size, options.limit);
  config.seed = options.seed;
  config.augment.normalization = options.normalization;
  data::Loader loader(dataset, config);
  bool stopped = false;
  for (int64_t i = 0; i < loader.batches() && !stopped; ++i) {
    const data::Batch& batch = loader.at(0, i);  // loaded once for all subnetworks
    for (size_t s = 0; s < subnets.size(); ++s) {
      const auto begin = Clock::now();
      const Tensor logits = model.forward(batch.images, subnets[s]).contiguous();
      seconds[s] += std::chrono::duration<double>(Clock::now() - begin).count();
      scorers[s]->add(logits, batch);
      results[s].images += batch.size();
      if (options.seen) options.seen(s, logits);
    }
    stopped = options.stop && options.stop();
  }
  model.train(training);
  if (stopped) return {};
  for (size_t s = 0; s < results.size(); ++s) {
    results[s].metrics = scorers[s]->metrics();
    results[s].note = scorers[s]->note();
    results[s].warning = scorers[s]->warning();
    results[s].thresholds = scorers[s]->thresholds();
    results[s].images_per_second = static_cast<double>(results[s].images) / seconds[s];
  }
  return results;
}

double mean_score(const std::vector<Result>& results) {
  double sum = 0;
  for (const Result& result : results) sum += result.metrics.at(0).value;
  return results.empty() ? 0 : sum / static_cast<double>(results.size());
}

}  // namespace hv::train
