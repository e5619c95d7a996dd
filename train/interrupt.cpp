#include "train/interrupt.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

namespace hv::train {
namespace {

volatile sig_atomic_t caught = 0;
volatile long long caught_at = 0;  // ms
int scopes = 0;

long long milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

// timeout(1) and service managers signal a process and its group, so one wish may arrive twice: a repeat counts only after a while.
constexpr long long kSameWish = 300;  // ms

void on_signal(int signal) {
  if (caught != 0) {
    if (milliseconds() - caught_at < kSameWish) return;
    _exit(128 + signal);
  }
  caught_at = milliseconds();
  caught = signal;
  constexpr char text[] = "\nstopping after this step; once more to stop at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
}

struct sigaction before_int, before_term;

}  // namespace

InterruptScope::InterruptScope() {
  if (scopes++ > 0) return;
  caught = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before_int);
  sigaction(SIGTERM, &action, &before_term);
}

InterruptScope::~InterruptScope() {
  if (--scopes > 0) return;
  sigaction(SIGINT, &before_int, nullptr);
  sigaction(SIGTERM, &before_term, nullptr);
}

int interrupted() { return caught; }

}  // namespace hv::train
