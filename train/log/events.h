// events.jsonl of a run folder: what happened, one JSON object a line, written when it happens.
//
//   {"event":"start" or "resume", "unix_time", "step", "total_steps" (0: the clock decides),
//    "widths":[{label, heads, dim, params, macs, share}]}
//   {"event":"log",  "unix_time", "step", "epoch", "seconds", "loss", "lr", "images_per_second", "widths":[{heads, drawn,
//   loss}],
//    "time":{gemm, attention, norm_activation, optimizer, data, other}}   seconds of these steps alone, by kind of work
//   {"event":"eval", "unix_time", "step", "epoch", "seconds", "images", "results":[{heads, top1, top5, loss,
//   images_per_second}],
//    "ema":[the same]}
//   {"event":"end",  "unix_time", "step", "how":"finished", "stopped", "interrupted" or "diverged"}
// "seconds" is that of training so far, earlier sessions included. A number that is not finite is null.
//
// Invariants
//   1. A line is one write() at the end of the file, so a killed process leaves whole lines and at most one cut one.
//   2. A resumed run begins by dropping the cut line and the lines of steps that will be done again.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/timing.h"
#include "train/evaluate.h"
#include "train/io/file.h"

namespace hv::train {

struct RunPoint {  // where a run is
  int64_t step = 0;
  double epoch = 0, seconds = 0, lr = 0;
};

struct RunWidth {
  models::Subnet subnet;
  int64_t params = 0, macs = 0;
  double share = 0;  // of all steps, as asked for
};

struct StartEvent {
  bool resumed = false;
  int64_t step = 0, total_steps = 0;
  std::vector<RunWidth> widths;
};

struct LogEvent {  // sums up the steps since the one before
  struct Width {
    models::Subnet subnet;
    int64_t drawn = 0;
    double loss = 0;  // mean over its steps, not a number if there are none
  };
  RunPoint at;
  double loss = 0, images_per_second = 0;
  std::vector<Width> widths;
  PartSeconds time{};  // of the steps alone, without evaluations and saving
};

struct EvalEvent {
  RunPoint at;
  std::vector<WidthResult> live, ema;  // ema may be empty
};

// A line of the file, without its end.
std::string event_json(const StartEvent& event);
std::string event_json(const LogEvent& event);
std::string event_json(const EvalEvent& event);
std::string end_event_json(int64_t step, const std::string& how);
int64_t event_step(const std::string& line);  // -1: not a whole event

class EventFile {
 public:
  EventFile(const std::string& path, const StartEvent& start);
  void add(const LogEvent& event);
  void add(const EvalEvent& event);
  void end(int64_t step, const std::string& how);

 private:
  AppendFile file_;
};

}  // namespace hv::train
