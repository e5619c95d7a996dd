// The listener of a training run. It shows the progress on the terminal and writes summary.csv, events.jsonl, predictions.csv
// and, with --tensorboard, an event file for TensorBoard.
//
// Invariants
//   1. No number that the training computes depends on it.
//   2. It sums up steps in a window. The window is written and emptied every --log-interval steps, before each evaluation,
//      before each save and at the end. So it is empty at every checkpoint, and a run of many sessions counts each step once.
//   3. Once a run has begun, a full or failing disk loses lines of the log but does not end the run. The exception is
//      predictions.csv, which is written once, at the end: if that fails, the run fails.
// Thread rule: one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "train/listener.h"
#include "train/log/events.h"
#include "train/log/predictions.h"
#include "train/log/progress.h"
#include "train/log/summary.h"
#include "train/log/tensorboard.h"
#include "train/options.h"

namespace hv::train {

class RunLog : public Listener {
 public:
  // If there is no `folder`, no file is written. `test` is the data that the run is evaluated on; null if it is not evaluated.
  RunLog(const OpenFolder& folder, const TrainOptions& options, const data::Dataset* test, bool show_progress);
  void begin(const StartEvent& start) override;
  void step(const StepEvent& event) override;
  void predicted(size_t subnet, const Tensor& logits) override;
  void evaluated(const EvalEvent& event) override;
  void flush() override;  // writes and empties the window
  void end(int64_t step, const std::string& how) override;
  void warn(const std::string& text) override { progress_.warn(text); }

 private:
  // Calls `write`. If it fails, its lines are lost (invariant 3) and a warning is printed, once until writing succeeds again.
  template <class Write>
  void attempt(Write&& write);
  struct Sum {
    int64_t steps = 0;
    double loss = 0;
    double mean() const { return loss / static_cast<double>(steps); }  // NaN if there are none
  };
  struct Window {
    RunPoint last;
    Sum all;
    std::map<int64_t, Sum> subnets;  // by id
    int64_t images = 0;
    PartSeconds time{};
  };

  OpenFolder folder_;
  bool ema_, with_tensorboard_;
  const data::Dataset* test_;
  Progress progress_;
  int64_t interval_;
  std::vector<RunSubnet> subnets_;
  std::unique_ptr<Summary> summary_;
  std::unique_ptr<EventFile> events_;
  std::unique_ptr<TensorBoard> tensorboard_;
  std::unique_ptr<Predictions> predictions_;
  Window window_;
  bool failing_ = false;
};

}  // namespace hv::train
