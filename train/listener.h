// The events that the trainer reports while it runs, and the interface that receives them. The progress bar and the files of a
// run folder receive them through train/log/run_log.h; a program that uses the library may have a listener of its own.
//
// Invariant: no number that the training computes depends on a listener.
// Thread rule: all functions are called on the trainer's thread.
#pragma once

#include <string>
#include <vector>

#include "core/timing.h"
#include "train/io/print.h"
#include "train/scores/scorer.h"
#include "train/step.h"

namespace hv::train {

struct RunPoint {  // a point in a run
  int64_t step = 0;
  double epoch = 0, seconds = 0, lr = 0;  // epoch: passes over the data so far; seconds of training, including earlier sessions
};

struct RunSubnet {
  models::Subnet subnet;
  int64_t params = 0, macs = 0;
  double share = 0;  // Recipe::share: expected share of all steps, 0 to 1
};

struct StartEvent {
  bool resumed = false;
  int64_t step = 0, total_steps = 0;  // total_steps 0: the clock limits the run
  std::vector<RunSubnet> subnets;
};

struct StepEvent {
  RunPoint at;              // after the step; lr is the rate that the step used
  int64_t total_steps = 0;  // 0: the clock limits the run
  double done = 0;          // finished share of the run, 0 to 1
  StepLoss loss;
  int64_t images = 0;  // number of images of this step
  PartSeconds time{};  // seconds of this step by kind of work, without evaluations and saves
};

struct EvalEvent {
  RunPoint at;
  double train_loss = 0;          // mean over the steps since the previous evaluation
  std::vector<Result> live, ema;  // with the live and with the averaged weights; ema is empty if there is no average
  std::string images = "test";    // or "validation": which images were used
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual void begin(const StartEvent&) {}
  virtual void step(const StepEvent&) {}
  // Logits [B, classes] of the next B images at one subnetwork, given by its index in StartEvent. Called only in the last
  // evaluation, on all images with the live weights. If a signal interrupts this evaluation, end() follows; else evaluated().
  virtual void predicted(size_t /*subnet*/, const Tensor& /*logits*/) {}
  virtual void evaluated(const EvalEvent&) {}
  virtual void flush() {}  // called before each save and each evaluation
  virtual void end(int64_t /*step*/, const std::string& /*how*/) {}
  virtual void warn(const std::string& text) { say(text); }
};

}  // namespace hv::train
