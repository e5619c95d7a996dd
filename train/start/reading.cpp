#include "train/start/reading.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>

namespace hv::train {

std::function<void(int64_t done, int64_t total)> reading_progress() {
  using Clock = std::chrono::steady_clock;
  struct State {
    Clock::time_point shown = Clock::now();
    int64_t last = 0;
    bool open_line = false;
  };
  const bool terminal = isatty(STDERR_FILENO);
  return [terminal, state = std::make_shared<State>()](int64_t done, int64_t total) {
    const auto now = Clock::now();
    if (done <= state->last) state->shown = now;  // another set begins
    state->last = done;
    const bool due = now - state->shown >= std::chrono::seconds(terminal || !state->open_line ? 2 : 10);
    if (due && done < total) {
      std::fprintf(stderr, terminal ? "\rreading images: %lld of %lld" : "reading images: %lld of %lld\n",
                   static_cast<long long>(done), static_cast<long long>(total));
      state->shown = now;
      state->open_line = true;
    }
    if (done < total || !state->open_line) return;
    std::fputs(terminal ? "\r\033[K" : "", stderr);
    state->open_line = false;
  };
}

}  // namespace hv::train
