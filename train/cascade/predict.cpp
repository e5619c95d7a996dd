#include "train/cascade/predict.h"

#include "train/cascade/options.h"
#include "train/io/memory.h"
#include "train/io/numbers.h"
#include "train/subnets.h"

namespace hv::train {

CascadePredictor::When when_again(const std::set<std::string>& given, const std::string& threshold_text,
                                  const std::string& budget_text) {
  const auto exclude = [&](const char* option, const char* why) {
    HV_CHECK_USAGE(!given.contains(option), "--", option, ": not with a cascade, ", why);
  };
  for (const char* option : {kSubnetsOption, kNamesOption}) exclude(option, "which chooses the width of each picture itself");
  exclude("budget-ms", "whose time is not known beforehand; give --budget-macs");
  exclude("explain", "because it shows the same widths of every picture; give --heads");
  const bool threshold = given.contains("threshold"), budget = given.contains("budget-macs");
  HV_CHECK_USAGE(threshold || budget, "--cascade: does not say when to look again; give --threshold or --budget-macs");
  HV_CHECK_USAGE(!threshold || !budget, "--threshold and --budget-macs: both say when to look again; give one of the two");
  if (budget) return {0, parse_amount("--budget-macs", budget_text), true};
  const std::vector<double> thresholds = parse_thresholds("--threshold", threshold_text);
  HV_CHECK_USAGE(thresholds.size() == 1, "--threshold: '", threshold_text, "': give one");
  return {thresholds[0], 0, false};
}

CascadePredictor::CascadePredictor(const Predictor& predictor, models::ElasticModel& model, const Cascade& cascade,
                                   const When& when, int64_t batch, Take take)
    : predictor_(predictor),
      cascade_(cascade),
      when_(when),
      take_(std::move(take)),
      through_(macs_through(model, cascade)),
      answered_(cascade.stages.size()) {
  const auto take_answer = [this](const Answer& one) { answer(one); };
  if (!when.budget) {
    runner_ = std::make_unique<CascadeRunner>(model, cascade, when.threshold, batch, take_answer);
    return;
  }
  HV_CHECK_USAGE(when.mean_macs >= through_[0], "--budget-macs: ", number_text(when.mean_macs),
                 " MACs are not enough for the first look, ", cascade.stages[0].label, ", which takes ",
                 static_cast<int64_t>(through_[0]), " an image; give at least that");
  spender_ = std::make_unique<Spender>(model, cascade, when.mean_macs, batch, take_answer);
}

void CascadePredictor::look(std::span<const ImagePath> images) {
  std::vector<Outcome> outcomes(images.size());
  const Tensor input = predictor_.read(images, outcomes);
  for (Outcome& outcome : outcomes) {
    if (outcome.problem.empty()) position_.push_back(outcomes_.size());
    outcomes_.push_back(std::move(outcome));
  }
  if (input.size(0) > 0 && runner_) runner_->add(input);
  if (input.size(0) > 0 && spender_) {
    spender_->add(input);
    HV_CHECK_INPUT(spender_->bytes() <= memory_budget(),
                   "--budget-macs: keeps all pictures until it knows the least sure: ", bytes_text(spender_->bytes()), " for ",
                   position_.size(), " of them, there are ", bytes_text(memory_budget()),
                   "; give fewer at a time, or --threshold instead");
  }
  give_out();
}

void CascadePredictor::answer(const Answer& one) {
  Outcome& outcome = outcomes_[position_[static_cast<size_t>(one.image)]];
  outcome.predictions = {predictor_.predict(outcome.image, cascade_.stages[one.stage], one.logits)};
  outcome.predictions[0].sureness = one.measure;
  ++answered_[one.stage];
}

void CascadePredictor::give_out() {
  for (; next_ < outcomes_.size(); ++next_) {
    Outcome& outcome = outcomes_[next_];
    if (outcome.problem.empty() && outcome.predictions.empty()) return;
    take_(outcome);
    outcome = {};
  }
}

std::string CascadePredictor::finish() {
  Spent spent;
  if (runner_) runner_->finish();
  if (spender_) spent = spender_->finish();
  give_out();
  double macs = 0;
  std::string text;
  for (size_t stage = 0; stage < answered_.size(); ++stage) {
    macs += static_cast<double>(answered_[stage]) * through_[stage];
    text += concat(stage == 0 ? "" : ", ", answered_[stage], " answered by ", cascade_.stages[stage].label);
  }
  const auto images = static_cast<double>(std::max<size_t>(1, position_.size()));
  text += concat("; mean ", static_cast<int64_t>(macs / images), " MACs an image");
  if (!spender_) return text;
  const bool one = spent.thresholds.size() == 1;
  for (size_t stage = 0; stage < spent.thresholds.size(); ++stage) {
    text += concat(stage == 0 ? (one ? "; threshold " : "; thresholds ") : ", ", number_text(spent.thresholds[stage]));
  }
  if (!spent.exact) text += ", but some of equally sure ones went on and others did not";
  return text;
}

}  // namespace hv::train
