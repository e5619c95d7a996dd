#include "train/log/run_log.h"

#include <cmath>
#include <numeric>

#include "train/files/file.h"

namespace hv::train {

RunLog::RunLog(const OpenFolder& folder, const TrainOptions& options, const data::Dataset* test, bool show_progress)
    : folder_(folder),
      ema_(options.ema > 0),
      with_tensorboard_(options.tensorboard),
      test_(test),
      progress_(show_progress, options.log_interval),
      interval_(options.log_interval) {}

void RunLog::begin(const StartEvent& start) {
  subnets_ = start.subnets;
  if (!folder_) return;
  // A predictions.csv of an earlier end of this run becomes wrong with the next step, and nothing in it names its step.
  remove_file(folder_ / "predictions.csv");
  std::vector<models::Subnet> subnets;
  for (const RunSubnet& one : subnets_) subnets.push_back(one.subnet);
  const std::vector<Metric> metrics = test_ ? make_scorer(*test_)->metrics() : std::vector<Metric>{};
  summary_ = std::make_unique<Summary>(folder_ / "summary.csv", subnets, metrics, ema_, start.step);
  events_ = std::make_unique<EventFile>(folder_ / "events.jsonl", start);
  if (with_tensorboard_) tensorboard_ = std::make_unique<TensorBoard>(folder_, start);
  if (test_ && test_->scorer() == "classes") predictions_ = std::make_unique<Predictions>(subnets, *test_);
}

void RunLog::step(const StepEvent& event) {
  std::string label;
  for (const PassLoss& pass : event.loss.passes) label += (label.empty() ? "" : "+") + pass.subnet.label;
  progress_.step(
      {event.at.step, event.total_steps, event.done, event.at.epoch, event.loss.mean, event.at.lr, label, event.images});
  window_.last = event.at;
  const auto count = [](Sum& sum, double loss) {
    ++sum.steps;
    sum.loss += loss;
  };
  count(window_.all, event.loss.mean);
  for (const PassLoss& pass : event.loss.passes) count(window_.subnets[pass.subnet.id], pass.loss);
  window_.images += event.images;
  for (size_t i = 0; i < event.time.size(); ++i) window_.time[i] += event.time[i];
  if (event.at.step % interval_ == 0) flush();
}

void RunLog::flush() {
  if (window_.all.steps == 0) return;
  const double seconds = std::accumulate(window_.time.begin(), window_.time.end(), 0.0);
  LogEvent event{window_.last, window_.all.mean(), static_cast<double>(window_.images) / seconds, {}, window_.time};
  for (const RunSubnet& one : subnets_) {
    const Sum& sum = window_.subnets[one.subnet.id];
    event.parts.push_back({one.subnet, sum.steps, sum.mean()});
  }
  attempt([&] {
    if (events_) events_->add(event);
    if (tensorboard_) tensorboard_->add(event);
  });
  window_ = {};
}

void RunLog::predicted(size_t subnet, const Tensor& logits) {
  if (predictions_) predictions_->add(subnet, logits);
}

void RunLog::evaluated(const EvalEvent& event) {
  if (predictions_ && !predictions_->empty()) write_file(folder_ / "predictions.csv", predictions_->csv());
  attempt([&] {
    if (summary_) summary_->add(event);
  });
  attempt([&] {
    if (events_) events_->add(event);
    if (tensorboard_) tensorboard_->add(event);
  });
  progress_.note(concat("epoch ", std::round(event.at.epoch * 100) / 100, " step ", event.at.step, ", ", event.live[0].images,
                        " ", event.images, " images: ", score_line(event.live),
                        event.ema.empty() ? "" : "; EMA " + score_line(event.ema)));
}

void RunLog::end(int64_t step, const std::string& how) {
  progress_.clear();
  flush();
  attempt([&] {
    if (events_) events_->end(step, how);
  });
}

template <class Write>
void RunLog::attempt(Write&& write) {
  try {
    write();
    failing_ = false;
  } catch (const Error& error) {
    if (error.fault() != Fault::failure) throw;
    if (!failing_) warn(concat("WARNING: ", error.what(), "; training goes on without these lines"));
    failing_ = true;
  }
}

}  // namespace hv::train
