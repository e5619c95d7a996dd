#include "train/trainer.h"

#include <cmath>

#include "train/choice/few.h"
#include "train/io/interrupt.h"
#include "train/scores/stored_thresholds.h"
#include "train/state/load.h"
#include "train/state/run_folder.h"

namespace hv::train {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

const char* ending_name(Ending ending) {
  if (ending == Ending::finished) return "finished";
  if (ending == Ending::stopped) return "stopped";
  return "interrupted";
}

Trainer::Trainer(const RunSetup& setup, std::unique_ptr<Recipe> recipe)
    : setup_(setup),
      few_(few_subnets(setup.subnets, setup.options.eval_subnets)),
      stepper_(setup.model, setup.train, setup.options, std::move(recipe)),
      begin_(Clock::now()) {
  const TrainOptions& o = setup_.options;
  if (o.steps > 0) {
    total_steps_ = o.steps;
  } else if (o.epochs > 0) {
    total_steps_ = std::max<int64_t>(1, o.epochs * stepper_.batches() / o.grad_accum);
  }
  const double total = total_steps_ > 0 ? static_cast<double>(total_steps_) : Schedule::kClockSteps;
  const double warmup = o.warmup_steps >= 0 ? static_cast<double>(o.warmup_steps) : std::floor(o.warmup * total);
  schedule_ = {o.schedule, o.lr, o.min_lr, warmup, total};
}

double Trainer::seconds() const { return seconds_before_ + seconds_since(begin_); }

// The share of --minutes that is over; 0 without a limit.
double Trainer::clock() const {
  return setup_.options.minutes > 0 ? std::min(1.0, seconds() / (60 * setup_.options.minutes)) : 0;
}

// If the number of steps is known, the clock may end the run but does not change what a step computes.
double Trainer::position() const { return total_steps_ > 0 ? static_cast<double>(step_) : schedule_.total_steps * clock(); }

double Trainer::done() const { return std::min(1.0, std::max(position() / schedule_.total_steps, clock())); }
bool Trainer::finished() const { return done() >= 1; }

void Trainer::diverged(const std::string& what) {
  save_before_error();
  const std::string kept =
      saved_step_ < 0 || !setup_.folder
          ? "nothing was saved yet"
          : concat("the last good checkpoint is ", (setup_.folder / kept_name(0)).text(), " (step ", saved_step_, ")");
  fail(Fault::diverged, "step ", step_ + 1, " (", trained_now(), "): ", what, "; ", kept,
       "; try a lower --lr or --clip-grad 1");
}

// The subnetworks that the step trains: "heads=5", or "heads=8, heads=3" if it has several passes.
std::string Trainer::trained_now() const {
  std::string text;
  for (const models::Subnet& subnet : stepper_.recipe().trains(step_)) text += (text.empty() ? "" : ", ") + subnet.label;
  return text;
}

std::optional<StepLoss> Trainer::train_step(double lr) {
  constexpr int64_t kMostBadSteps = 10;  // in a row; after more of them the run is not expected to recover
  const bool back = setup_.options.on_nan == "rollback";
  try {
    StepLoss loss = stepper_.run(step_, lr);
    bad_steps_ = 0;
    return loss;
  } catch (const Error& error) {
    if (error.fault() != Fault::diverged) throw;
    if (setup_.options.on_nan == "stop") diverged(error.what());
    if (++bad_steps_ > kMostBadSteps) diverged(concat(error.what(), ", as the ", kMostBadSteps, " steps before"));
    if (back && saved_step_ < 0) diverged(concat(error.what(), ", and there is no saved state to roll back to"));
    listener_->warn(concat(
        "WARNING: step ", step_ + 1, " (", trained_now(), "): ", error.what(),
        back ? concat("; weights, moments and average are those of step ", saved_step_, " again") : "; the step is skipped"));
  }
  // The step still counts: the next step trains on other images, and a run resumed from an earlier save repeats all this.
  setup_.model.zero_grad();
  if (back) restore_tensors(load_checkpoint(setup_.folder / kept_name(0)));
  stepper_.optimizer().set_steps(step_ + 1);
  return std::nullopt;
}

RunPoint Trainer::here() const {
  const double passes = static_cast<double>(step_ * setup_.options.grad_accum);
  return {step_, passes / static_cast<double>(stepper_.batches()), seconds(), schedule_.at(position())};
}

StartEvent Trainer::start_event() const {
  StartEvent start{resumed_, step_, total_steps_, {}};
  for (const models::Subnet& subnet : setup_.subnets) {
    start.subnets.push_back({subnet, setup_.model.params(subnet), setup_.model.macs(subnet), stepper_.recipe().share(subnet)});
  }
  return start;
}

Ending Trainer::run(Listener& listener) {
  const InterruptScope listening;
  begin_ = Clock::now();
  listener_ = &listener;
  save_first();
  listener.begin(start_event());
  for (const std::string& notice : notices(setup_.options, stepper_.batches(), total_steps_)) listener.warn(notice);
  if (setup_.test && few_.size() < setup_.subnets.size()) {
    std::string names;
    for (const models::Subnet& one : few_) names += (names.empty() ? "" : ", ") + one.name;
    listener.warn(concat("NOTICE: before the end, evaluations measure ", few_.size(), " of ", setup_.subnets.size(),
                         " subnetworks, and best.ckpt is the best for these: ", names, " (--", kFewOption, " chooses others)"));
  }
  try {
    const Ending ending = train_and_evaluate();
    listener.end(step_, ending_name(ending));
    return ending;
  } catch (const Error& error) {
    save_before_error();
    if (error.fault() == Fault::diverged) listener.end(step_, "diverged");
    throw;
  } catch (const std::exception&) {  // out of memory, for example
    save_before_error();
    throw;
  }
}

Ending Trainer::train_and_evaluate() {
  const TrainOptions& o = setup_.options;
  setup_.model.train();
  setup_.model.zero_grad();
  watch_parts();
  const int64_t first = step_;
  const auto epochs_at = [&](int64_t step) { return step * o.grad_accum / stepper_.batches(); };
  const auto evaluation_due = [&] {
    if (!setup_.test || o.eval_every == 0 || step_ == evaluated_step_) return false;
    return epochs_at(step_) / o.eval_every > epochs_at(step_ - 1) / o.eval_every;
  };
  const auto leave = [&](Ending ending) {
    if (saved_step_ != step_) save();
    return ending;
  };

  while (!finished()) {
    if (interrupted()) return leave(Ending::interrupted);
    // The evaluation comes before the step, so that a run that was stopped before it begins with it when it is resumed.
    if (evaluation_due()) {
      if (!evaluate_and_report(chooser(), o.eval_limit, few_)) continue;  // a signal interrupted it
      note_best();
      save_or_warn();
    }
    if (o.stop_after > 0 && step_ - first >= o.stop_after) return leave(Ending::stopped);
    const double lr = schedule_.at(position());
    take_parts();  // discards the times of evaluations and saves, which are not part of a step
    const std::optional<StepLoss> loss = train_step(lr);
    const PartSeconds time = take_parts();
    ++step_;
    RunPoint at = here();
    at.lr = lr;  // the rate of this step, not of the next
    if (loss) {
      loss_sum_ += loss->mean;
      ++loss_count_;
      listener_->step({at, total_steps_, done(), *loss, o.batch_size * o.grad_accum, time});
    }
    if (setup_.on_step) setup_.on_step(step_, loss ? loss->mean : std::nan(""));

    const bool save_due = o.save_every > 0 ? step_ % o.save_every == 0 : epochs_at(step_) > epochs_at(step_ - 1);
    if (save_due && (finished() || !evaluation_due())) save_or_warn();  // if an evaluation is due, the save comes after it
  }
  if (saved_step_ != step_) save();  // before the last evaluation, because a signal may interrupt that
  if (!setup_.test) return Ending::finished;
  // The first evaluation is like the earlier ones, so that their scores can be compared; the last uses all test images.
  const bool part = setup_.validation || (o.eval_limit > 0 && o.eval_limit < setup_.test->size());
  if (!evaluate_and_report(chooser(), part ? o.eval_limit : 0, part ? few_ : setup_.subnets)) return Ending::interrupted;
  note_best();
  if (part && !evaluate_and_report(*setup_.test, 0, setup_.subnets)) return Ending::interrupted;
  save();
  return Ending::finished;
}

// Returns false if a signal came; then nothing has changed.
bool Trainer::evaluate_and_report(const data::Dataset& images, int64_t limit, const std::vector<models::Subnet>& subnets) {
  listener_->flush();
  if (!evaluate_these(images, limit, subnets)) return false;
  if (loss_count_ > 0) mean_loss_ = loss_sum_ / static_cast<double>(loss_count_);
  listener_->evaluated({here(), mean_loss_, live_, average_, data::split_name(images.split())});
  loss_sum_ = 0;
  loss_count_ = 0;
  evaluated_step_ = step_;
  scores_.clear();
  const auto keep = [&](const std::string& prefix, const std::vector<Result>& results) {
    for (const Result& result : results) {
      if (std::isnan(result.metrics.at(0).value)) continue;  // not available
      scores_[concat(prefix, result.metrics.at(0).name, '.', result.subnet.label)] = result.metrics[0].value;
    }
  };
  keep("", live_);
  keep("ema_", average_);
  if (&images == setup_.validation) thresholds_ = thresholds_to_store(setup_.train.class_names(), live_, average_);
  return true;
}

// The mean of the first metric over the few, also of an evaluation of all, so that it can be compared.
double Trainer::score(const std::vector<Result>& results) const {
  std::vector<Result> of_few = results;
  std::erase_if(of_few, [&](const Result& result) {
    return std::none_of(few_.begin(), few_.end(), [&](const auto& one) { return one.id == result.subnet.id; });
  });
  return mean_score(of_few);
}

// The best checkpoint has the highest score, with the live or the averaged weights.
void Trainer::note_best() {
  const double now = std::max(score(live_), score(average_));
  if (!(now > best_)) return;  // a score that is not available is no best one
  best_before_ = best_;
  best_ = now;
  new_best_ = true;
}

// Fills live_ and average_. Returns false if a signal came; then nothing has changed.
bool Trainer::evaluate_these(const data::Dataset& images, int64_t limit, const std::vector<models::Subnet>& subnets) {
  EvaluateOptions options;
  options.batch_size = setup_.options.eval_batch;
  options.limit = limit;
  options.seed = static_cast<uint64_t>(setup_.options.seed);
  options.stop = [] { return interrupted() != 0; };
  options.scores.choose = &images == setup_.validation;
  check_finite();
  // Of the last evaluation, which uses all images and the live weights, the listener is given the logits of every image.
  const bool last = finished() && &images == setup_.test && (limit == 0 || limit >= images.size());
  options.scores.details = last;
  if (last) options.seen = [&](size_t subnet, const Tensor& logits) { listener_->predicted(subnet, logits); };
  std::vector<Result> live = evaluate(setup_.model, subnets, images, options), average;
  if (live.empty()) return false;
  options.seen = {};
  options.scores.details = false;
  if (stepper_.ema().on()) {
    const WithEma lent(stepper_.ema());
    average = evaluate(setup_.model, subnets, images, options);
    if (average.empty()) return false;
  }
  live_ = std::move(live);
  average_ = std::move(average);
  return true;
}

}  // namespace hv::train
