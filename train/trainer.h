// The training loop: it runs the steps of a recipe, evaluates, saves checkpoints, and ends in order when a signal asks for it.
//
// Invariants
//   1. The state after step s is a function of the options and s (train/step.h). So a run that is resumed at any step, on any
//      number of threads, ends with the same bits. With --steps or --epochs, a limit of time only ends the run earlier. A run
//      that the clock alone limits cannot be repeated: its schedule follows the clock.
//   2. A loss or gradient that is not finite ends the run at once (Fault::diverged), and a state that is not finite is never
//      saved. The option --on-nan can choose to skip the step or to roll back to the last save instead.
//   3. Checkpoints hold the state between two steps.
//   4. In the middle of a run, a save or a log line that fails is reported and the run goes on; the next save tries again. The
//      state at the end is saved, or the run fails. A new run saves its state before the first step, so that what can fail
//      fails then.
//   5. The state is saved in the folder that was opened at the start. If its path leads elsewhere by now, the run saves and
//      ends (Fault::failure).
//   6. Any error ends the run with the state before the failing step saved, unless that is not finite.
// Thread rule: one thread; the signals of train/io/interrupt.h may come at any time.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/evaluate.h"
#include "train/files/folder.h"
#include "train/listener.h"
#include "train/optim/schedule.h"
#include "train/options.h"
#include "train/state/checkpoint.h"
#include "train/step.h"

namespace hv::train {

struct RunSetup {
  models::ElasticModel& model;
  std::vector<models::Subnet> subnets;  // those that are trained, and evaluated at the end
  const data::Dataset& train;
  const data::Dataset* test = nullptr;  // null if the run does not evaluate
  TrainOptions options;
  OpenFolder folder = {};                                       // of the run; if none, nothing is written
  std::map<std::string, std::string> provenance = {};           // stored in every checkpoint
  std::function<void(int64_t step, double loss)> on_step = {};  // called after each step; the loss of a skipped step is a NaN
  // What evaluations before the end measure on, and so what chooses best.ckpt; null: the test images.
  const data::Dataset* validation = nullptr;
};

enum class Ending { finished, stopped, interrupted };  // `stopped` is the ending of --stop-after
const char* ending_name(Ending ending);

class Trainer {
 public:
  Trainer(const RunSetup& setup, std::unique_ptr<Recipe> recipe);
  // Continues from the state of a checkpoint. Missing tensors or counters and other shapes are errors (Fault::input).
  void restore(const Checkpoint& checkpoint);
  // From now on the run is written into this folder. If that holds no state of the run yet, the state is saved now.
  // `hold` is called before each save; it throws if the folder must not be written to any more (FolderLock::hold).
  void write_to(const OpenFolder& folder, bool holds_state, std::function<void()> hold = {});
  // Forgets the best state and the last scores, because they were measured on other images: the next evaluation is the best
  // again.
  void forget_best();
  // Trains to the end. Throws Fault::diverged (invariant 2) and Fault::failure if the last state cannot be saved.
  Ending run(Listener& listener);

  int64_t step() const { return step_; }
  int64_t total_steps() const { return total_steps_; }                 // 0 if only the clock limits the run
  const std::vector<Result>& results() const { return live_; }         // of the last evaluation, with the live weights
  const std::vector<Result>& ema_results() const { return average_; }  // the same, with the averaged weights
  Header header() const;
  std::vector<NamedTensor> tensors() const;  // the whole state; names begin with "model.", "ema." or "optimizer."

 private:
  double seconds() const;  // of training so far, including earlier sessions
  double clock() const;
  double position() const;  // of the schedule, in steps
  double done() const;      // share of the run, 0 to 1
  bool finished() const;
  RunPoint here() const;
  StartEvent start_event() const;
  Ending train_and_evaluate();
  std::optional<StepLoss> train_step(double lr);  // empty if --on-nan skipped the step or rolled back
  void restore_tensors(const Checkpoint& checkpoint);
  // On all or `limit` images of a set.
  bool evaluate_and_report(const data::Dataset& images, int64_t limit, const std::vector<models::Subnet>& subnets);
  bool evaluate_these(const data::Dataset& images, int64_t limit, const std::vector<models::Subnet>& subnets);
  const data::Dataset& chooser() const { return setup_.validation ? *setup_.validation : *setup_.test; }
  double score(const std::vector<Result>& results) const;
  std::string trained_now() const;
  void save_first();
  void save();
  void save_or_warn();
  void save_before_error();
  void write_state();
  void check_folder() const;
  void note_best();
  std::string not_finite() const;  // the name of the first parameter that is not finite; "" if all are
  void check_finite();
  [[noreturn]] void diverged(const std::string& what);

  RunSetup setup_;
  std::vector<models::Subnet> few_;  // what evaluations before the end measure (train/choice/few.h)
  Stepper stepper_;
  Schedule schedule_;
  std::function<void()> hold_;
  Listener* listener_ = nullptr;  // set while run() runs
  int64_t step_ = 0, total_steps_ = 0, saved_step_ = -1, evaluated_step_ = 0;
  double seconds_before_ = 0, best_ = -1, best_before_ = -1, loss_sum_ = 0;
  double mean_loss_ = 0;                    // over the steps between the last two evaluations
  int64_t loss_count_ = 0, bad_steps_ = 0;  // bad: steps in a row whose loss or gradient was not finite
  bool new_best_ = false, resumed_ = false;
  std::chrono::steady_clock::time_point begin_;
  std::vector<Result> live_, average_;
  std::map<std::string, double> scores_;      // of the last evaluation, also of an earlier session; the checkpoint stores them
  std::map<std::string, double> thresholds_;  // the same, of the last one on validation images (scores/stored_thresholds.h)
};

}  // namespace hv::train
