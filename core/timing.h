// Where the time of a step goes: a stopwatch that sums the time per part, for the log, the benchmark and the report.
//
// Invariants
//   1. At any moment exactly one part is charged: that of the innermost PartTimer alive. So no time is counted twice, and the
//      parts add up to the whole.
//   2. Only the thread that began watching is watched. It takes a share of every parallel region and waits for its end, so its
//      time is the step's wall time; on other threads a PartTimer does nothing.
//   3. Nothing is allocated; a PartTimer costs two readings of the clock (about 50 ns) on the thread that is watched.
// Thread rule: each thread has a stopwatch of its own.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace hv {

enum class Part { other, gemm, attention, norm_activation, optimizer, data };
inline constexpr std::array<const char*, 6> kPartNames{"other", "gemm", "attention", "norm_activation", "optimizer", "data"};
using PartSeconds = std::array<double, kPartNames.size()>;

namespace timing {
using Clock = std::chrono::steady_clock;
struct Watch {
  bool on = false;
  Part now = Part::other;
  Clock::time_point since;
  std::array<Clock::duration, kPartNames.size()> spent{};
  void change(Part next) {  // charges the time since the last change
    const Clock::time_point time = Clock::now();
    spent[static_cast<size_t>(now)] += time - since;
    since = time;
    now = next;
  }
};
inline thread_local Watch watch;
}  // namespace timing

class PartTimer {
 public:
  explicit PartTimer(Part part) : before_(timing::watch.now) {
    if (timing::watch.on) timing::watch.change(part);
  }
  ~PartTimer() {
    if (timing::watch.on) timing::watch.change(before_);
  }
  PartTimer(const PartTimer&) = delete;
  PartTimer& operator=(const PartTimer&) = delete;

 private:
  Part before_;
};

// From now on this thread is watched.
inline void watch_parts() {
  timing::watch = {};
  timing::watch.on = true;
  timing::watch.since = timing::Clock::now();
}
// Seconds of each part since watch_parts() or the last call. All 0 if this thread is not watched.
inline PartSeconds take_parts() {
  PartSeconds seconds{};
  if (!timing::watch.on) return seconds;
  timing::watch.change(timing::watch.now);
  for (size_t i = 0; i < seconds.size(); ++i) seconds[i] = std::chrono::duration<double>(timing::watch.spent[i]).count();
  timing::watch.spent = {};
  return seconds;
}

}  // namespace hv
