// The progress of a run on stderr: a bar on a terminal, else a plain line every `interval` steps. If NO_COLOR is set, the bar
// has no colour (no-color.org). A terminal that cannot move its cursor (TERM=dumb) shows plain lines.
// Thread rule: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hv::train {

struct ProgressLine {
  int64_t step = 0;
  int64_t total_steps = 0;  // 0: only the clock limits the run
  double done = 0;          // finished share of the run, 0 to 1
  double epoch = 0;         // passes over the data so far
  double loss = 0, lr = 0;
  std::string label;   // the subnetworks that the step trained: "heads=5"
  int64_t images = 0;  // number of images of this step
};

class Progress {
 public:
  Progress(bool on, int64_t interval);  // interval: number of steps between two plain lines
  ~Progress() { clear(); }
  void step(const ProgressLine& line);
  void note(const std::string& text);  // prints a line above the bar, if the progress is on
  void warn(const std::string& text);  // prints a line above the bar, also if the progress is off
  void clear();                        // removes the bar

 private:
  using Clock = std::chrono::steady_clock;
  std::string format(const ProgressLine& line, double done_at_begin) const;
  bool on_, terminal_, colour_, drawn_ = false;
  int64_t interval_;
  Clock::time_point begin_, drawn_at_, last_;
  double first_done_ = -1, loss_ = 0, rate_ = 0;
  int64_t seen_ = 0;
};

std::string format_duration(double seconds);  // "1:02:03" or "2:03"; "-:--" if it is negative, not finite or above 1e8

}  // namespace hv::train
