// What a user sees while waiting: a bar on a terminal, a plain line every so often elsewhere. Goes to stderr.
// NO_COLOR is honoured; a terminal that cannot move its cursor (TERM=dumb) gets plain lines.
// Thread rule: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hv::train {

struct ProgressLine {
  int64_t step = 0;
  int64_t total_steps = 0;  // 0: unknown
  double done = 0;          // share of the run, 0 to 1
  double epoch = 0;         // passes over the data so far
  double loss = 0, lr = 0;
  std::string label;   // "heads=5"
  int64_t images = 0;  // of this step
};

class Progress {
 public:
  Progress(bool on, int64_t interval);  // interval: steps between two plain lines
  ~Progress() { clear(); }
  void step(const ProgressLine& line);
  void note(const std::string& text);  // a line of its own, above the bar
  void warn(const std::string& text);  // the same, also where the bar is off
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

std::string format_duration(double seconds);  // "1:02:03", "2:03"

}  // namespace hv::train
