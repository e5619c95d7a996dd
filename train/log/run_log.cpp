#include "train/log/run_log.h"

#include <cmath>
#include <numeric>

namespace hv::train {

RunLog::RunLog(const std::string& folder, const TrainOptions& options, const StartEvent& start, bool show_progress)
    : progress_(show_progress, options.log_interval), interval_(options.log_interval), widths_(start.widths) {
  if (folder.empty()) return;
  std::vector<models::Subnet> subnets;
  for (const RunWidth& width : widths_) subnets.push_back(width.subnet);
  summary_ = std::make_unique<Summary>(join_path(folder, "summary.csv"), subnets, options.ema > 0, start.step);
  events_ = std::make_unique<EventFile>(join_path(folder, "events.jsonl"), start);
  if (options.tensorboard) tensorboard_ = std::make_unique<TensorBoard>(folder, start);
}

void RunLog::step(const ProgressLine& line, const RunPoint& at, const models::Subnet& subnet, const PartSeconds& time) {
  progress_.step(line);
  window_.last = at;
  for (Sum* sum : {&window_.all, &window_.widths[subnet.key]}) {
    ++sum->steps;
    sum->loss += line.loss;
  }
  window_.images += line.images;
  for (size_t i = 0; i < time.size(); ++i) window_.time[i] += time[i];
  if (at.step % interval_ == 0) flush();
}

void RunLog::flush() {
  if (window_.all.steps == 0) return;
  const double seconds = std::accumulate(window_.time.begin(), window_.time.end(), 0.0);
  LogEvent event{window_.last, window_.all.mean(), static_cast<double>(window_.images) / seconds, {}, window_.time};
  for (const RunWidth& width : widths_) {
    const Sum& sum = window_.widths[width.subnet.key];
    event.widths.push_back({width.subnet, sum.steps, sum.mean()});
  }
  attempt([&] {
    if (events_) events_->add(event);
    if (tensorboard_) tensorboard_->add(event);
  });
  window_ = {};
}

void RunLog::evaluated(const RunPoint& at, double train_loss, const std::vector<WidthResult>& live,
                       const std::vector<WidthResult>& ema) {
  attempt([&] {
    if (summary_) summary_->add({at.step, at.epoch, at.seconds, at.lr, train_loss, live, ema});
  });
  attempt([&] {
    if (events_) events_->add(EvalEvent{at, live, ema});
    if (tensorboard_) tensorboard_->add(EvalEvent{at, live, ema});
  });
  progress_.note(concat("epoch ", std::round(at.epoch * 100) / 100, " step ", at.step, ", ", live[0].images,
                        " test images: ", accuracy_line(live), ema.empty() ? "" : "; EMA " + accuracy_line(ema)));
}

void RunLog::end(int64_t step, const std::string& how) {
  progress_.clear();
  flush();
  attempt([&] {
    if (events_) events_->end(step, how);
  });
}

void RunLog::warn(const std::string& text) { progress_.warn(text); }

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
