// What a trainer saves, where and when, and how it takes that up again.
#include <atomic>
#include <cmath>

#include "core/parallel.h"
#include "train/scores/stored_thresholds.h"
#include "train/state/load.h"
#include "train/state/run_folder.h"
#include "train/trainer.h"

namespace hv::train {

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
  // Checkpoints of earlier versions do not have these two counters.
  bad_steps_ = checkpoint.header.counters.count("bad_steps") ? counter("bad_steps") : 0;
  evaluated_step_ = checkpoint.header.counters.count("evaluated_step") ? counter("evaluated_step") : step_;
  for (const auto& [name, value] : checkpoint.header.metrics) {
    if (name.find('.') == std::string::npos) continue;
    (is_threshold(name) ? thresholds_ : scores_)[name] = value;  // the latter: "top1.heads=5", "ema_top1.heads=5"
  }
  resumed_ = true;
}

void Trainer::forget_best() {
  best_ = -1;
  scores_.clear();
}

Header Trainer::header() const {
  TrainOptions options = setup_.options;
  Header header;
  header.model = setup_.model.config();
  for (const Field& field : run_fields(options)) header.options[field.name] = field.get();
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
  header.metrics.insert(scores_.begin(), scores_.end());
  header.metrics.insert(thresholds_.begin(), thresholds_.end());
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

std::string Trainer::not_finite() const {
  for (const nn::Parameter& parameter : setup_.model.parameters()) {
    const Real* data = parameter.value.data();
    std::atomic<bool> finite = true;
    parallel_blocks(parameter.value.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
      bool good = true;
      for (int64_t i = begin; i < end; ++i) good &= std::isfinite(data[i]);
      if (!good) finite.store(false, std::memory_order_relaxed);
    });
    if (!finite) return parameter.name;
  }
  return "";
}

void Trainer::check_finite() {
  const std::string name = not_finite();
  if (!name.empty()) diverged(concat("the weights ", name, " are not finite"));
}

void Trainer::write_to(const OpenFolder& folder, bool holds_state, std::function<void()> hold) {
  hold_ = std::move(hold);
  setup_.folder = folder;
  setup_.options.out = folder.path();
  if (!holds_state) saved_step_ = -1;
  save_first();
}

// The scores of an evaluation make the header longer, so they are tried as well.
void Trainer::save_first() {
  if (saved_step_ >= 0 || !setup_.folder) return;
  Header full = header();
  for (const NamedTensor& tensor : tensors()) full.tensors.push_back({tensor.name, tensor.value.shape()});
  for (const models::Subnet& subnet : setup_.subnets) {
    for (const char* weights : {"", "ema_"}) full.metrics[concat(weights, "a metric of some name.", subnet.label)] = 0;
  }
  if (setup_.validation && setup_.model.independent()) {
    std::vector<Result> some;  // as after an evaluation on validation images
    for (const models::Subnet& subnet : few_) {
      Result one;
      one.subnet = subnet;
      one.thresholds.resize(static_cast<size_t>(setup_.model.classes()));
      some.push_back(std::move(one));
    }
    full.metrics.merge(thresholds_to_store(setup_.train.class_names(), some, some));
  }
  check_header(full);
  save();
}

void Trainer::save() {
  write_state();
  check_folder();
}

void Trainer::write_state() {
  if (!setup_.folder) return;
  if (hold_) hold_();
  if (listener_) listener_->flush();
  check_finite();
  const Header now = header();
  const std::vector<NamedTensor> all = tensors();
  // best.ckpt is written first: if the run is killed between the two files, it is resumed from the earlier last.ckpt and finds
  // the same best state again.
  if (new_best_ && setup_.options.keep_best) save_checkpoint(setup_.folder / "best.ckpt", now, all);
  new_best_ = false;
  save_run(setup_.folder, now, all, setup_.options.keep_last);
  saved_step_ = step_;
}

void Trainer::save_or_warn() {
  try {
    write_state();
  } catch (const Error& error) {
    if (error.fault() != Fault::failure) throw;
    if (new_best_) best_ = best_before_;  // because no file holds the new best state
    new_best_ = false;
    listener_->warn(
        concat("WARNING: step ", step_, " is not saved: ", error.what(), "; training goes on, the next save tries again"));
  }
  check_folder();
}

void Trainer::check_folder() const {
  if (!setup_.folder || setup_.folder.still_there()) return;
  const std::string now = setup_.folder.path_now();
  HV_CHECK(!now.empty(), setup_.folder.path(), ": the folder of this run was removed, so nothing of it can be saved");
  fail(Fault::failure, setup_.folder.path(), ": is not the folder of this run any more: that is ", now, "; step ", saved_step_,
       " is saved there, go on with: hydravit train --resume ", now);
}

// Saves the state before a step that failed. What cannot be saved must not hide the error.
void Trainer::save_before_error() {
  if (saved_step_ == step_ || !setup_.folder || !stepper_.whole() || !not_finite().empty()) return;
  try {
    write_state();
    listener_->warn(
        concat("an error ends the run; its state after step ", step_, " is saved in ", (setup_.folder / kept_name(0)).text()));
  } catch (const std::exception& error) {
    listener_->warn(concat("WARNING: step ", step_, " is not saved: ", error.what()));
  }
}

}  // namespace hv::train
