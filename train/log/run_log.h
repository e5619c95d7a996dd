// What a run tells while it goes: the bar on the terminal, summary.csv, events.jsonl and, if asked for, TensorBoard's file.
//
// Invariants
//   1. It only listens: no number of the training depends on it.
//   2. Steps are gathered in a window that is written every --log-interval steps, and before each evaluation, each save and the
//      end. So the window is empty at every checkpoint, and a run in many sessions counts each of its steps once.
//   3. Once a run has begun, a full or failing disk costs lines, never the run.
// Thread rule: one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "train/log/events.h"
#include "train/log/progress.h"
#include "train/log/summary.h"
#include "train/log/tensorboard.h"
#include "train/options.h"

namespace hv::train {

class RunLog {
 public:
  // An empty folder: nothing is written.
  RunLog(const std::string& folder, const TrainOptions& options, const StartEvent& start, bool show_progress);
  void step(const ProgressLine& line, const RunPoint& at, const models::Subnet& subnet, const PartSeconds& time);
  void flush();  // writes what the window holds
  void evaluated(const RunPoint& at, double train_loss, const std::vector<WidthResult>& live,
                 const std::vector<WidthResult>& ema);
  void end(int64_t step, const std::string& how);
  void warn(const std::string& text);

 private:
  // A line that cannot be written is left out. That is told once, until writing succeeds again.
  template <class Write>
  void attempt(Write&& write);
  struct Sum {
    int64_t steps = 0;
    double loss = 0;
    double mean() const { return loss / static_cast<double>(steps); }  // not a number if there are none
  };
  struct Window {
    RunPoint last;
    Sum all;
    std::map<int64_t, Sum> widths;  // by heads
    int64_t images = 0;
    PartSeconds time{};
  };

  Progress progress_;
  std::unique_ptr<Summary> summary_;
  std::unique_ptr<EventFile> events_;
  std::unique_ptr<TensorBoard> tensorboard_;
  int64_t interval_;
  std::vector<RunWidth> widths_;
  Window window_;
  bool failing_ = false;
};

}  // namespace hv::train
