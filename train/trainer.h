// The training loop: a plain loop around a recipe, with evaluation, checkpoints and graceful endings.
//
// Invariants
//   1. The state after step s is a function of the options and s (train/step.h). So a run resumed at any step, on any number of
//      threads, ends in the same bits. (A run limited by the clock does not repeat: its schedule follows the clock.)
//   2. A loss or gradient that is not finite ends the run at once (Fault::diverged); nothing broken is ever saved.
//   3. Checkpoints hold the state between two steps.
//   4. In the middle of a run a save or a log line that fails is told, and the run goes on: the next save tries again. The
//      state at the end is saved, or the run fails.
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
#include "train/log/run_log.h"
#include "train/options.h"
#include "train/schedule.h"
#include "train/state/checkpoint.h"
#include "train/step.h"

namespace hv::train {

struct RunSetup {
  models::ElasticModel& model;
  std::vector<models::Subnet> widths;  // trained and evaluated
  const data::Dataset& train;
  const data::Dataset* test = nullptr;  // null: no evaluation
  TrainOptions options;
  std::string folder = {};  // empty: nothing is written
  std::map<std::string, std::string> provenance = {};
  bool show_progress = false;
  std::function<void(int64_t step, double loss)> on_step = {};
};

enum class Ending { finished, stopped, interrupted };  // stopped: by --stop-after
const char* ending_name(Ending ending);

class Trainer {
 public:
  Trainer(const RunSetup& setup, std::unique_ptr<Recipe> recipe);
  void restore(const Checkpoint& checkpoint);
  void write_to(const std::string& folder) { setup_.folder = setup_.options.out = folder; }
  Ending run();

  int64_t step() const { return step_; }
  int64_t total_steps() const { return total_steps_; }               // 0: the clock decides
  const std::vector<WidthResult>& results() const { return live_; }  // of the last evaluation
  const std::vector<WidthResult>& ema_results() const { return average_; }
  Header header() const;
  std::vector<NamedTensor> tensors() const;  // all state: "model.", "ema.", "optimizer."

 private:
  double seconds() const;   // of training so far, earlier sessions included
  double position() const;  // in steps, for the schedule
  bool finished() const;
  RunPoint here() const;
  StartEvent start_event() const;
  Ending train_and_evaluate();
  std::optional<double> train_step(double lr);  // none: what --on-nan does instead of the step
  void restore_tensors(const Checkpoint& checkpoint);
  bool evaluate_and_tell(int64_t limit);
  bool evaluate_widths(int64_t limit);
  void save();
  void save_or_warn();
  void note_best();
  void check_finite() const;
  [[noreturn]] void diverged(const std::string& what) const;

  RunSetup setup_;
  Stepper stepper_;
  Schedule schedule_;
  std::unique_ptr<RunLog> log_;  // while run() runs
  int64_t step_ = 0, total_steps_ = 0, saved_step_ = -1, evaluated_step_ = 0;
  double seconds_before_ = 0, best_ = -1, best_before_ = -1, loss_sum_ = 0;
  double mean_loss_ = 0;                    // of the steps between the last two evaluations
  int64_t loss_count_ = 0, bad_steps_ = 0;  // bad: not finite, in a row
  bool new_best_ = false, resumed_ = false;
  std::chrono::steady_clock::time_point begin_;
  std::vector<WidthResult> live_, average_;
  std::map<std::string, double> accuracies_;  // of the last evaluation, earlier sessions included: metrics of the checkpoint
};

}  // namespace hv::train
