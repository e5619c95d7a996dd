#include "train/trainer.h"

#include <atomic>
#include <cmath>

#include "train/file.h"
#include "train/interrupt.h"
#include "train/predictions.h"
#include "train/summary.h"

namespace hv::train {
namespace {

data::LoaderConfig loader_config(const RunSetup& setup) {
  const TrainOptions& o = setup.options;
  const int64_t images = o.train_limit > 0 ? std::min(o.train_limit, setup.train.size()) : setup.train.size();
  HV_CHECK_USAGE(o.batch_size <= images, "--batch-size: ", o.batch_size, " is more than the ", images, " training images");
  data::LoaderConfig config;
  config.batch_size = o.batch_size;
  config.seed = static_cast<uint64_t>(o.seed);
  config.augment = augmentation(o);
  config.shuffle = o.shuffle;
  config.limit = o.train_limit;
  return config;
}

OptimizerConfig optimizer_config(const TrainOptions& o) {
  OptimizerConfig config;
  config.kind = o.optimizer;
  config.weight_decay = o.weight_decay;
  config.momentum = o.momentum;
  return config;
}

}  // namespace

data::AugmentConfig augmentation(const TrainOptions& o) {
  data::AugmentConfig config = data::augment_preset(o.augment);
  if (o.mixup >= 0) config.mixup_alpha = o.mixup;
  if (o.cutmix >= 0) config.cutmix_alpha = o.cutmix;
  if (o.erase >= 0) config.erase_prob = o.erase;
  if (o.randaugment >= 0) config.ra_ops = static_cast<int>(o.randaugment);
  data::check_augment(config);
  return config;
}

Trainer::Trainer(const RunSetup& setup, std::unique_ptr<Recipe> recipe)
    : setup_(setup), recipe_(std::move(recipe)), loader_(setup.train, loader_config(setup)),
      optimizer_(make_optimizer(setup.model.parameters(), optimizer_config(setup.options))), ema_(setup.model, setup.options.ema),
      progress_(setup.show_progress, setup.options.log_interval), begin_(std::chrono::steady_clock::now()) {
  const TrainOptions& o = setup_.options;
  check_options(o);
  total_steps_ = o.steps > 0 ? o.steps : o.epochs > 0 ? std::max<int64_t>(1, o.epochs * loader_.batches() / o.grad_accum) : 0;
  const double total = total_steps_ > 0 ? static_cast<double>(total_steps_) : Schedule::kClockSteps;
  const double warmup = o.warmup_steps >= 0 ? static_cast<double>(o.warmup_steps) : std::floor(o.warmup * total);
  schedule_ = {o.schedule, o.lr, o.min_lr, warmup, total};
}

void Trainer::restore(const Checkpoint& checkpoint) {
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
  restore_all("ema.", ema_.values());
  for (const Optimizer::State& state : optimizer_->states()) restore_all("optimizer." + state.name + ".", state.values);
  const auto counter = [&](const std::string& name) {
    const auto found = checkpoint.header.counters.find(name);
    HV_CHECK_INPUT(found != checkpoint.header.counters.end() && found->second >= 0, checkpoint.path, ": damaged header: no ", name);
    return found->second;
  };
  const auto metric = [&](const std::string& name, double otherwise) {
    const auto found = checkpoint.header.metrics.find(name);
    return found == checkpoint.header.metrics.end() ? otherwise : found->second;
  };
  step_ = saved_step_ = counter("step");
  optimizer_->set_steps(step_);
  loss_count_ = counter("loss_count");
  loss_sum_ = metric("loss_sum", 0);
  seconds_before_ = metric("seconds", 0);
  best_ = metric("best_top1", -1);
}

double Trainer::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

double Trainer::position() const {
  double at = total_steps_ > 0 ? static_cast<double>(step_) : 0;
  if (setup_.options.minutes > 0) at = std::max(at, schedule_.total_steps * std::min(1.0, seconds() / (60 * setup_.options.minutes)));
  return at;
}

bool Trainer::finished() const { return position() >= schedule_.total_steps; }

void Trainer::diverged(const std::string& what) const {
  const std::string kept = setup_.folder.empty() || saved_step_ < 0
                               ? "nothing was saved yet"
                               : concat("the last good checkpoint is ", join_path(setup_.folder, "last.ckpt"), " (step ", saved_step_, ")");
  fail(Fault::diverged, "step ", step_ + 1, " (", recipe_->subnet(step_).label, "): ", what, "; ", kept,
       "; try a lower --lr or --clip-grad 1");
}

double Trainer::train_step(double lr) {
  const TrainOptions& o = setup_.options;
  double loss = 0;
  for (int64_t micro = 0; micro < o.grad_accum; ++micro) {
    const int64_t pass = step_ * o.grad_accum + micro;
    const data::Batch& batch = loader_.at(pass / loader_.batches(), pass % loader_.batches());
    const nn::NoiseScope noise(static_cast<uint64_t>(o.seed), static_cast<uint64_t>(pass));
    const Tensor value = recipe_->loss(setup_.model, batch, step_);
    loss += static_cast<double>(value.item()) / static_cast<double>(o.grad_accum);
    if (!std::isfinite(loss)) diverged(concat("the loss is ", loss));
    value.backward();
  }
  double scale = 1 / static_cast<double>(o.grad_accum);
  if (o.clip_grad > 0) {
    const double norm = optimizer_->gradient_norm() * scale;
    if (!std::isfinite(norm)) diverged(concat("the gradient's norm is ", norm));
    if (norm > o.clip_grad) scale *= o.clip_grad / norm;
  }
  optimizer_->step(lr, scale, ema_.values(), ema_.decay(step_),
                   o.active_only ? setup_.model.active(recipe_->subnet(step_)) : std::vector<Tensor>{});
  return loss;
}

Ending Trainer::run() {
  const TrainOptions& o = setup_.options;
  const InterruptScope listening;
  begin_ = std::chrono::steady_clock::now();
  setup_.model.train();
  setup_.model.zero_grad();
  const int64_t first = step_;
  const auto passes_done = [&] { return step_ * o.grad_accum; };
  const auto epoch = [&] { return static_cast<double>(passes_done()) / static_cast<double>(loader_.batches()); };
  std::unique_ptr<Summary> summary;
  if (!setup_.folder.empty()) {
    summary = std::make_unique<Summary>(join_path(setup_.folder, "summary.csv"), setup_.widths, ema_.on(), step_);
  }
  double mean_loss = 0;  // since the evaluation before
  const auto evaluate_and_report = [&](int64_t limit) {
    if (!evaluate_widths(limit)) return false;
    if (loss_count_ > 0) mean_loss = loss_sum_ / static_cast<double>(loss_count_);
    if (summary) summary->add({step_, epoch(), seconds(), schedule_.at(position()), mean_loss, live_, average_});
    progress_.note(concat("epoch ", std::round(epoch() * 100) / 100, " step ", step_, ", ", live_[0].images, " test images: ",
                          accuracy_line(live_), average_.empty() ? "" : "; EMA " + accuracy_line(average_)));
    loss_sum_ = 0;
    loss_count_ = 0;
    return true;
  };
  const auto leave = [&](Ending ending) {
    progress_.clear();
    if (saved_step_ != step_) save();
    return ending;
  };

  while (!finished()) {
    if (interrupted()) return leave(Ending::interrupted);
    if (o.stop_after > 0 && step_ - first >= o.stop_after) return leave(Ending::stopped);
    const double lr = schedule_.at(position());
    const double loss = train_step(lr);
    const int64_t epoch_before = passes_done() / loader_.batches();
    progress_.step({step_ + 1, total_steps_, std::min(1.0, (position() + (total_steps_ > 0 ? 1 : 0)) / schedule_.total_steps), epoch(),
                    loss, lr, recipe_->subnet(step_).label, o.batch_size * o.grad_accum});
    ++step_;
    loss_sum_ += loss;
    ++loss_count_;
    if (setup_.on_step) setup_.on_step(step_, loss);

    const int64_t epochs = passes_done() / loader_.batches();
    const bool epoch_ended = epochs > epoch_before;
    if (setup_.test && o.eval_every > 0 && epoch_ended && epochs / o.eval_every > epoch_before / o.eval_every && !finished()) {
      if (!evaluate_and_report(o.eval_limit)) continue;  // a signal: the loop's head saves
      note_best();
      save();
    } else if (o.save_every > 0 ? step_ % o.save_every == 0 : epoch_ended) {
      save();
    }
  }
  progress_.clear();
  if (saved_step_ != step_) save();  // before the last evaluation, which may be interrupted
  if (!setup_.test) return Ending::finished;
  // First on as many images as the evaluations before had, to find the best among equals; then on all.
  const bool part = o.eval_limit > 0 && o.eval_limit < setup_.test->size();
  if (!evaluate_and_report(part ? o.eval_limit : 0)) return Ending::interrupted;
  note_best();
  if (part && !evaluate_and_report(0)) return Ending::interrupted;
  save();
  return Ending::finished;
}

// The best checkpoint has the highest mean top-1 over the widths, of live or averaged weights.
void Trainer::note_best() {
  const double score = std::max(mean_top1(live_), mean_top1(average_));
  if (score <= best_) return;
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
  if (ema_.on()) {
    const WithEma lent(ema_);
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
  header.counters = {{"step", step_}, {"total_steps", total_steps_}, {"epoch", passes / loader_.batches()},
                     {"batch", passes % loader_.batches()}, {"images", passes * options.batch_size}, {"loss_count", loss_count_}};
  header.metrics = {{"seconds", seconds()}, {"loss_sum", loss_sum_}, {"best_top1", best_}};
  for (const WidthResult& result : live_) header.metrics["top1." + result.subnet.label] = result.top1;
  for (const WidthResult& result : average_) header.metrics["ema_top1." + result.subnet.label] = result.top1;
  return header;
}

std::vector<NamedTensor> Trainer::tensors() const {
  std::vector<NamedTensor> all;
  const std::vector<nn::Parameter> parameters = setup_.model.parameters();
  const auto add = [&](const std::string& prefix, const std::vector<Tensor>& values) {
    for (size_t i = 0; i < values.size(); ++i) all.push_back({prefix + parameters[i].name, values[i]});
  };
  for (const nn::Parameter& parameter : parameters) all.push_back({"model." + parameter.name, parameter.value.detach()});
  add("ema.", ema_.values());
  for (const Optimizer::State& state : optimizer_->states()) add("optimizer." + state.name + ".", state.values);
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
  check_finite();
  const Header now = header();
  const std::vector<NamedTensor> all = tensors();
  save_checkpoint(join_path(setup_.folder, "last.ckpt"), now, all, join_path(setup_.folder, "prev.ckpt"));
  if (new_best_) save_checkpoint(join_path(setup_.folder, "best.ckpt"), now, all);
  new_best_ = false;
  saved_step_ = step_;
}

}  // namespace hv::train
