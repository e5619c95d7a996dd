#include "train/log/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/check.h"
#include "train/io/print.h"

namespace hv::train {
namespace {

bool terminal_can_draw() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) && term && std::strcmp(term, "dumb") != 0;
}

bool colour_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  return !no_color || !*no_color;
}

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e8) return "-:--";
  const long total = std::lround(seconds);
  char text[32];
  if (total >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", total / 60, total % 60);
  }
  return text;
}

Progress::Progress(bool on, int64_t interval)
    : on_(on),
      terminal_(on && terminal_can_draw()),
      colour_(terminal_ && colour_wanted()),
      interval_(interval),
      begin_(Clock::now()),
      drawn_at_(begin_),
      last_(begin_) {}

std::string Progress::format(const ProgressLine& line, double done_at_begin) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double progress = line.done - done_at_begin;  // of this process only, because a resumed run does not begin at 0
  const double remaining = progress > 0 ? elapsed * (1 - line.done) / progress : INFINITY;
  char text[256];
  const std::string steps = line.total_steps > 0 ? concat(line.step, '/', line.total_steps) : concat(line.step);
  std::snprintf(text, sizeof text, "%3.0f%% %s<%s step %s epoch %.2f loss %.3f lr %.2e %s %.0f img/s", 100 * line.done,
                format_duration(elapsed).c_str(), format_duration(remaining).c_str(), steps.c_str(), line.epoch, loss_, line.lr,
                line.label.c_str(), rate_);
  return text;
}

void Progress::step(const ProgressLine& line) {
  if (!on_) return;
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  // Running means over about 20 steps, because the loss and the speed of single steps vary with their widths.
  const double blend = std::max(0.05, 1.0 / static_cast<double>(++seen_));
  loss_ += blend * (line.loss - loss_);
  const double per_image = seconds / static_cast<double>(std::max<int64_t>(1, line.images));
  rate_ = 1 / ((1 - blend) * (rate_ > 0 ? 1 / rate_ : per_image) + blend * per_image);
  if (first_done_ < 0) first_done_ = line.total_steps > 0 ? line.done - 1.0 / static_cast<double>(line.total_steps) : line.done;
  if (!terminal_) {
    if (line.step % interval_ == 0 || seen_ == 1) std::fprintf(stderr, "%s\n", format(line, first_done_).c_str());
    return;
  }
  if (seen_ > 1 && now - drawn_at_ < std::chrono::milliseconds(100) && line.done < 1) return;
  drawn_at_ = now;
  std::string text = format(line, first_done_);
  const int width = std::clamp(terminal_columns() - static_cast<int>(text.size()) - 4, 0, 30);
  const int filled = static_cast<int>(std::lround(line.done * width));
  std::string bar;
  if (width >= 5) {
    bar = concat('[', colour_ ? "\033[32m" : "", std::string(static_cast<size_t>(filled), '='), colour_ ? "\033[0m" : "",
                 std::string(static_cast<size_t>(width - filled), ' '), "] ");
  } else {
    text.resize(std::min<size_t>(text.size(), static_cast<size_t>(std::max(1, terminal_columns() - 1))));
  }
  std::fprintf(stderr, "\r\033[K%s%s", bar.c_str(), text.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
  drawn_ = false;
}

void Progress::warn(const std::string& text) {
  clear();
  say(text);
}

void Progress::note(const std::string& text) {
  clear();
  if (on_) say(text);
  last_ = Clock::now();  // the time before the note was not spent on a training step
}

}  // namespace hv::train
