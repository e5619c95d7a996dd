#include "train/trainer.h"

#include <atomic>
#include <cmath>

#include "train/io/file.h"
#include "train/io/interrupt.h"
#include "train/log/predictions.h"
#include "train/state/load.h"
#include "train/state/run_folder.h"

namespace hv::train {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

const char* ending_name(Ending ending) {
  return ending == Ending::finished ? "finished" : ending == Ending::stopped ? "stopped" : "interrupted";
}

Trainer::Trainer(const RunSetup& setup, std::unique_ptr<Recipe> recipe)
    : setup_(setup), stepper_(setup.model, setup.train, setup.options, std::move(recipe)), begin_(Clock::now()) {
  const TrainOptions& o = setup_.options;
  total_steps_ = o.steps > 0 ? o.steps : o.epochs > 0 ? std::max<int64_t>(1, o.epochs * stepper_.batches() / o.grad_accum) : 0;
  const double total = total_steps_ > 0 ? static_cast<double>(total_steps_) : Schedule::kClockSteps;
  const double warmup = o.warmup_steps >= 0 ? static_cast<double>(o.warmup_steps) : std::floor(o.warmup * total);
  schedule_ = {o.schedule, o.lr, o.min_lr, warmup, total};
}

void Trainer::restore_tensors(const Checkpoint& checkpoint) {
  restore_parameters(checkpoint, "model.", setup_.model);
  const std::vector<nn::Parameter> parameters = setup_.model.parameters();
  const auto restore_all = [&](const std::string& prefix, const std::vector<Tensor>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      const Tensor& stored = checkpoint.tensor(prefix + parameters[i].name);
      HV_CHECK_INPUT(stored.shape() == values[i].shape(), checkpoint.path, ": tensor ", prefix, parameters[i].name, " is ",
                     stored.shape(), ", not ", values[i].shape());
      values[i].copy_(stored);
    }
  };
  const NoGrad off;
  restore_all("ema.", stepper_.ema().values());
  for (const Optimizer::State& state : stepper_.optimizer().states())
    restore_all("optimizer." + state.name + ".", state.values);
}

void Trainer::restore(const Checkpoint& checkpoint) {
  restore_tensors(checkpoint);
  const auto counter = [&](const std::string& name) {
    const auto found = checkpoint.header.counters.find(name);
    HV_CHECK_INPUT(found != checkpoint.header.counters.end() && found->second >= 0, checkpoint.path, ": damaged header: no ",
                   name);
    return found->second;
  };
  const auto metric = [&](const std::string& name, double otherwise) {
    const auto found = checkpoint.header.metrics.find(name);
    return found == checkpoint.header.metrics.end() ? otherwise : found->second;
  };
  step_ = saved_step_ = counter("step");
  stepper_.optimizer().set_steps(step_);
  loss_count_ = counter("loss_count");
  loss_sum_ = metric("loss_sum", 0);
  seconds_before_ = metric("seconds", 0);
  best_ = metric("best_top1", -1);
  // Checkpoints of earlier versions lack these.
  bad_steps_ = checkpoint.header.counters.count("bad_steps") ? counter("bad_steps") : 0;
  evaluated_step_ = checkpoint.header.counters.count("evaluated_step") ? counter("evaluated_step") : step_;
  for (const auto& [name, value] : checkpoint.header.metrics) {
    if (name.rfind("top1.", 0) == 0 || name.rfind("ema_top1.", 0) == 0) accuracies_[name] = value;
  }
  resumed_ = true;
}

double Trainer::seconds() const { return seconds_before_ + seconds_since(begin_); }

double Trainer::position() const {
  double at = total_steps_ > 0 ? static_cast<double>(step_) : 0;
  if (setup_.options.minutes > 0)
    at = std::max(at, schedule_.total_steps * std::min(1.0, seconds() / (60 * setup_.options.minutes)));
  return at;
}

bool Trainer::finished() const { return position() >= schedule_.total_steps; }

void Trainer::diverged(const std::string& what) const {
  const std::string kept =
      setup_.folder.empty() || saved_step_ < 0
          ? "nothing was saved yet"
          : concat("the last good checkpoint is ", join_path(setup_.folder, "last.ckpt"), " (step ", saved_step_, ")");
  fail(Fault::diverged, "step ", step_ + 1, " (", stepper_.recipe().subnet(step_).label, "): ", what, "; ", kept,
       "; try a lower --lr or --clip-grad 1");
}

std::optional<double> Trainer::train_step(double lr) {
  constexpr int64_t kMostBadSteps = 10;  // in a row: more is no accident
  const bool back = setup_.options.on_nan == "rollback";
  try {
    const double loss = stepper_.run(step_, lr);
    bad_steps_ = 0;
    return loss;
  } catch (const Error& error) {
    if (error.fault() != Fault::diverged) throw;
    if (setup_.options.on_nan == "stop") diverged(error.what());
    if (++bad_steps_ > kMostBadSteps) diverged(concat(error.what(), ", as the ", kMostBadSteps, " steps before"));
    if (back && saved_step_ < 0) diverged(concat(error.what(), ", and there is no saved state to roll back to"));
    log_->warn(concat(
        "WARNING: step ", step_ + 1, " (", stepper_.recipe().subnet(step_).label, "): ", error.what(),
        back ? concat("; weights, moments and average are those of step ", saved_step_, " again") : "; the step is skipped"));
  }
  // The step counts, so the next one has other images; a run that is resumed from a save in between does the same again.
  setup_.model.zero_grad();
  if (back) restore_tensors(load_checkpoint(join_path(setup_.folder, "last.ckpt")));
  stepper_.optimizer().set_steps(step_ + 1);
  return std::nullopt;
}

RunPoint Trainer::here() const {
  const double passes = static_cast<double>(step_ * setup_.options.grad_accum);
  return {step_, passes / static_cast<double>(stepper_.batches()), seconds(), schedule_.at(position())};
}

StartEvent Trainer::start_event() const {
  StartEvent start{resumed_, step_, total_steps_, {}};
  for (const models::Subnet& width : setup_.widths) {
    start.widths.push_back({width, setup_.model.params(width), setup_.model.macs(width), stepper_.recipe().share(width)});
  }
  return start;
}

Ending Trainer::run() {
  const InterruptScope listening;
  begin_ = Clock::now();
  // Of an earlier end of this run: further steps make it old, and it does not say of which step it is.
  if (!setup_.folder.empty()) remove_file(join_path(setup_.folder, "predictions.csv"));
  log_ = std::make_unique<RunLog>(setup_.folder, setup_.options, start_event(), setup_.show_progress);
  try {
    const Ending ending = train_and_evaluate();
    log_->end(step_, ending_name(ending));
    return ending;
  } catch (const Error& error) {
    if (error.fault() == Fault::diverged) log_->end(step_, "diverged");
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
    if (evaluation_due()) {                            // here, so that a run that was stopped before it goes on with it
      if (!evaluate_and_tell(o.eval_limit)) continue;  // a signal
      note_best();
      save_or_warn();
    }
    if (o.stop_after > 0 && step_ - first >= o.stop_after) return leave(Ending::stopped);
    const double lr = schedule_.at(position());
    take_parts();  // evaluations and saving are no part of a step
    const std::optional<double> loss = train_step(lr);
    const PartSeconds time = take_parts();
    const models::Subnet& width = stepper_.recipe().subnet(step_);
    ++step_;
    RunPoint at = here();
    at.lr = lr;  // the one this step had
    if (loss) {
      loss_sum_ += *loss;
      ++loss_count_;
      log_->step({step_, total_steps_, std::min(1.0, position() / schedule_.total_steps), at.epoch, *loss, lr, width.label,
                  o.batch_size * o.grad_accum},
                 at, width, time);
    }
    if (setup_.on_step) setup_.on_step(step_, loss.value_or(std::nan("")));

    const bool save_due = o.save_every > 0 ? step_ % o.save_every == 0 : epochs_at(step_) > epochs_at(step_ - 1);
    if (save_due && (finished() || !evaluation_due())) save_or_warn();  // an evaluation is followed by a save
  }
  if (saved_step_ != step_) save();  // before the last evaluation, which may be interrupted
  if (!setup_.test) return Ending::finished;
  // First on as many images as the evaluations before had, to find the best among equals; then on all.
  const bool part = o.eval_limit > 0 && o.eval_limit < setup_.test->size();
  if (!evaluate_and_tell(part ? o.eval_limit : 0)) return Ending::interrupted;
  note_best();
  if (part && !evaluate_and_tell(0)) return Ending::interrupted;
  save();
  return Ending::finished;
}

// Of all widths; false: a signal came, and nothing has changed.
bool Trainer::evaluate_and_tell(int64_t limit) {
  log_->flush();
  if (!evaluate_widths(limit)) return false;
  if (loss_count_ > 0) mean_loss_ = loss_sum_ / static_cast<double>(loss_count_);
  log_->evaluated(here(), mean_loss_, live_, average_);
  loss_sum_ = 0;
  loss_count_ = 0;
  evaluated_step_ = step_;
  accuracies_.clear();
  for (const WidthResult& result : live_) accuracies_["top1." + result.subnet.label] = result.top1;
  for (const WidthResult& result : average_) accuracies_["ema_top1." + result.subnet.label] = result.top1;
  return true;
}

// The best checkpoint has the highest mean top-1 over the widths, of live or averaged weights.
void Trainer::note_best() {
  const double score = std::max(mean_top1(live_), mean_top1(average_));
  if (score <= best_) return;
  best_before_ = best_;
  best_ = score;
  new_best_ = true;
}

// Fills live_ and average_; false: a signal came, nothing has changed.
bool Trainer::evaluate_widths(int64_t limit) {
  EvaluateOptions options;
  options.batch_size = setup_.options.eval_batch;
  options.limit = limit;
  options.stop = [] { return interrupted() != 0; };
  check_finite();
  // The last evaluation, of all images by the live weights, is kept image by image.
  const bool keep = !setup_.folder.empty() && finished() && (limit == 0 || limit >= setup_.test->size());
  Predictions predictions(setup_.widths, *setup_.test);
  if (keep) options.seen = [&](size_t width, const Tensor& logits) { predictions.add(width, logits); };
  std::vector<WidthResult> live = evaluate(setup_.model, setup_.widths, *setup_.test, options), average;
  if (live.empty()) return false;
  if (keep) write_file(join_path(setup_.folder, "predictions.csv"), predictions.csv());
  options.seen = {};
  if (stepper_.ema().on()) {
    const WithEma lent(stepper_.ema());
    average = evaluate(setup_.model, setup_.widths, *setup_.test, options);
    if (average.empty()) return false;
  }
  live_ = std::move(live);
  average_ = std::move(average);
  return true;
}

Header Trainer::header() const {
  TrainOptions options = setup_.options;
  Header header;
  header.model = setup_.model.config();
  for (const Field& field : train_fields(options)) header.options[field.name] = field.get();
  header.provenance = setup_.provenance;
  header.seed = static_cast<uint64_t>(options.seed);
  header.class_names = setup_.train.class_names();
  header.mean = setup_.train.normalization().mean;
  header.std = setup_.train.normalization().std;
  const int64_t passes = step_ * options.grad_accum;
  header.counters = {{"step", step_},
                     {"total_steps", total_steps_},
                     {"epoch", passes / stepper_.batches()},
                     {"batch", passes % stepper_.batches()},
                     {"images", passes * options.batch_size},
                     {"loss_count", loss_count_},
                     {"bad_steps", bad_steps_},
                     {"evaluated_step", evaluated_step_}};
  header.metrics = {{"seconds", seconds()}, {"loss_sum", loss_sum_}, {"best_top1", best_}};
  header.metrics.insert(accuracies_.begin(), accuracies_.end());
  return header;
}

std::vector<NamedTensor> Trainer::tensors() const {
  std::vector<NamedTensor> all;
  const std::vector<nn::Parameter> parameters = setup_.model.parameters();
  const auto add = [&](const std::string& prefix, const std::vector<Tensor>& values) {
    for (size_t i = 0; i < values.size(); ++i) all.push_back({prefix + parameters[i].name, values[i]});
  };
  for (const nn::Parameter& parameter : parameters) all.push_back({"model." + parameter.name, parameter.value.detach()});
  add("ema.", stepper_.ema().values());
  for (const Optimizer::State& state : stepper_.optimizer().states()) add("optimizer." + state.name + ".", state.values);
  return all;
}

void Trainer::check_finite() const {
  for (const nn::Parameter& parameter : setup_.model.parameters()) {
    const Real* data = parameter.value.data();
    std::atomic<bool> finite = true;
    parallel_blocks(parameter.value.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
      bool good = true;
      for (int64_t i = begin; i < end; ++i) good &= std::isfinite(data[i]);
      if (!good) finite.store(false, std::memory_order_relaxed);
    });
    if (!finite) diverged(concat("the weights ", parameter.name, " are not finite"));
  }
}

void Trainer::save() {
  if (setup_.folder.empty()) return;
  log_->flush();
  check_finite();
  const Header now = header();
  const std::vector<NamedTensor> all = tensors();
  // The best first: a run killed between the two goes on from the state before and finds the same best again.
  if (new_best_ && setup_.options.keep_best) save_checkpoint(join_path(setup_.folder, "best.ckpt"), now, all);
  new_best_ = false;
  save_run(setup_.folder, now, all, setup_.options.keep_last);
  saved_step_ = step_;
}

void Trainer::save_or_warn() {
  try {
    save();
  } catch (const Error& error) {
    if (error.fault() != Fault::failure) throw;
    if (new_best_) best_ = best_before_;  // no file holds it
    new_best_ = false;
    log_->warn(
        concat("WARNING: step ", step_, " is not saved: ", error.what(), "; training goes on, the next save tries again"));
  }
}

}  // namespace hv::train
