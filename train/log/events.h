// events.jsonl of a run folder: one JSON object per line for each event of the run, written when the event happens.
//
//   {"event":"start" or "resume", "unix_time", "step", "total_steps" (0: only the clock limits the run),
//    "widths":[{label, axes, params, macs, share}]}
//   {"event":"log",  "unix_time", "step", "epoch", "seconds", "loss", "lr", "images_per_second",
//    "widths":[{axes, drawn, loss}],
//    "time":{gemm, attention, norm_activation, optimizer, data, other}}   seconds of these steps by kind of work
//   {"event":"eval", "unix_time", "step", "epoch", "seconds", "images", "results":[{axes, metrics, images_per_second}],
//    "ema":[the same]}         metrics of single labels: of more than eight results, those of the widest and the narrowest
//   {"event":"end",  "unix_time", "step", "how":"finished", "stopped", "interrupted" or "diverged"}
// `axes` stands for one key per axis of the subnetwork, with HydraViT "heads":5. Lines of the kinds "start" and "resume" have
// all axes (also "dim":160), the other lines only those that distinguish the subnetworks. `metrics` stands for one key per
// metric: "top1", "top5", "loss". "seconds" is the time of training so far, including earlier sessions. A number that is not
// finite is null.
//
// Invariants
//   1. Each line is appended by one write(). So a killed process leaves whole lines and at most one incomplete line.
//   2. A resumed run first removes an incomplete line, lines that are no event or too long for one, and the lines of steps that
//      it will run again.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/files/file.h"
#include "train/listener.h"

namespace hv::train {

struct LogEvent {  // the steps since the previous event of this kind, summed up
  struct Part {
    models::Subnet subnet;
    int64_t trained = 0;  // number of steps that trained it
    double loss = 0;      // mean over these steps; NaN if there are none
  };
  RunPoint at;
  double loss = 0, images_per_second = 0;  // loss: mean over the steps
  std::vector<Part> parts;
  PartSeconds time{};  // seconds of the steps by kind of work, without evaluations and saves
};

// Each returns one line of the file, without its line end.
std::string event_json(const StartEvent& event);
std::string event_json(const LogEvent& event);
std::string event_json(const EvalEvent& event);
std::string end_event_json(int64_t step, const std::string& how);
int64_t event_step(const std::string& line);  // the step of a line; -1 if the line is not a whole event

inline constexpr size_t kLongestEvent = 1 << 17;  // bytes of a line; with 250 subnetworks it has some 30,000

class EventFile {
 public:
  // Opens the file, see invariant 2, and writes the first line. A file that cannot be written is an error (Fault::failure),
  // here and in the functions below.
  EventFile(const Place& place, const StartEvent& start);
  void add(const LogEvent& event);
  void add(const EvalEvent& event);
  void end(int64_t step, const std::string& how);

 private:
  AppendFile file_;
};

}  // namespace hv::train
