#include "train/io/interrupt.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

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

// timeout(1) and service managers signal a process and then its group, so one request may arrive twice. A signal within this
// time after the first one is taken for the same request.
constexpr long long kSameWish = 300;  // ms

void on_signal(int signal) {
  if (caught != 0) {
    // A closed terminal may send SIGHUP several times, so a repeated SIGHUP does not mean that the user wants to stop at once.
    if (signal == SIGHUP || milliseconds() - caught_at < kSameWish) return;
    _exit(128 + signal);
  }
  const int error = errno;  // belongs to the code that the signal interrupted, so it is restored
  caught_at = milliseconds();
  caught = signal;
  constexpr char text[] = "\nstopping after this step; once more to stop at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
  errno = error;
}

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
std::array<struct sigaction, kSignals.size()> before;

}  // namespace

InterruptScope::InterruptScope() {
  if (scopes++ > 0) return;
  caught = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &before[i]);
    // A signal that was ignored when the program started stays ignored: nohup sets SIGHUP so, and a shell script sets SIGINT so
    // for a command that it runs in the background.
    if (before[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  if (--scopes > 0) return;
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
}

int interrupted() { return caught; }

}  // namespace hv::train
