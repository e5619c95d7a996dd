// Signals during a training, and terminals and standard streams that close. The training ends after a step and a save, or
// continues; its exit code is right, and what it leaves is whole. HYDRAVIT_LONG: more signals.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <optional>

#include "tests/training.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;
using hv::test::Process;
using hv::test::slurp;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Waits until `happened` is true; false after some minutes (a virtual machine may stand still for a while).
template <class Happened>
bool within_minutes(Happened&& happened) {
  for (int tries = 0; tries < 60000; ++tries) {
    if (happened()) return true;
    usleep(5000);
  }
  return false;
}

// The exit code. A process that does not end is killed, and then each test fails.
int end_of(Process& process) {
  return within_minutes([&] { return process.ended(); }) ? process.wait() : process.kill_now();
}

bool has_temporary_files(const Training& training) {
  for (const std::string& name : names_in(training.run())) {
    if (contains(name, ".tmp.")) return true;
  }
  return false;
}

// How many steps were reported after the message that the run stops after this one?
int64_t steps_after_promise(const std::string& output) {
  int64_t steps = 0;
  for (size_t at = output.find("stopping after this step"); at != std::string::npos;) {
    at = output.find(" img/s\n", at + 1);
    steps += at != std::string::npos;
  }
  return steps;
}

// One step takes minutes. So if the program ends sooner, it did not wait for the step.
TrainOptions endless_step() {
  TrainOptions o = often_saved(2);
  o.batch_size = 64;
  o.grad_accum = 4096;
  return o;
}

class Terminal {
 public:
  Terminal() : file_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) { REQUIRE((grantpt(file_) == 0 && unlockpt(file_) == 0)); }
  ~Terminal() { hang_up(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  std::string name() const { return ptsname(file_); }
  bool shows(const std::string& text) {  // waits for it
    char some[4096];
    while (!contains(shown_, text)) {
      const ssize_t bytes = read(file_, some, sizeof some);  // an error once the program has ended
      if (bytes <= 0) return false;
      shown_.append(some, static_cast<size_t>(bytes));
    }
    return true;
  }
  void type(char key) const { REQUIRE(write(file_, &key, 1) == 1); }
  const std::string& all() {
    shows("no program says this");
    return shown_;
  }
  void hang_up() {
    if (file_ >= 0) close(std::exchange(file_, -1));
  }

 private:
  int file_;
  std::string shown_;
};

}  // namespace

TEST_CASE(
    "signals: at random times, the program ends after the step with a checkpoint and the right code; the result is the same "
    "bits") {
  if (!test::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Training training(often_saved(60), tiny_model());
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(Process(training.command({}, 2), training.output_path()).wait() == 0);
  // The longest time before a signal: about that of a training. It follows what happens, for the machine may be busier at
  // times.
  double life = std::min(5.0, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  const std::string expected = training.result();
  training.begin();

  Stream random(12, Purpose::test);
  const int64_t wanted = long_form() ? 200 : 6;
  int64_t signals = 0, early = 0, stopped = 0, reporting = 0, finished = 0;
  for (int64_t session = 0; signals < wanted || finished == 0; ++session) {
    const int64_t before = newest_step(training.run());
    const int signal = std::array{SIGINT, SIGTERM, SIGHUP}[static_cast<size_t>(random.below(3))];
    // A report takes longer than this training, so it is not always made.
    Process process(training.command({}, 2, session % 4 == 0 ? "on" : "off"), training.output_path());
    if (signals < wanted) {
      usleep(static_cast<useconds_t>(1e6 * life * random.below(1000) / 1000));
      kill(process.pid(), signal);
    }
    const int code = end_of(process);
    const std::string output = training.output();
    INFO("session " << session << ", signal " << signal << ": " << output);
    const int64_t step = step_of(load_checkpoint(join_path(training.run(), "last.ckpt")));
    const bool done = contains(output, "checkpoint: " + training.run());
    signals += code != 0;
    life = std::min(5.0, life * (code == 0 ? 0.8 : 1.1));
    if (code == -signal && !done) {  // its handler was not installed yet: nothing has changed
      CHECK_FALSE(contains(output, "stopping after this step"));
      CHECK(step == before);
      ++early;
    } else if (code == -signal) {  // its handler is removed already: only the report is missing
      ++reporting;
    } else if (code != 0) {
      REQUIRE(code == 128 + signal);
      CHECK(steps_after_promise(output) <= 1);
      CHECK(contains(
          output, done ? "interrupted; the training is done and saved" : concat("interrupted after step ", step, "; saved ")));
      CHECK_FALSE(has_temporary_files(training));
      CHECK(contains(lines(join_path(training.run(), "events.jsonl")).back(), done ? "\"finished\"" : "\"interrupted\""));
      ++stopped;
    }
    if (code != 0 && !done) continue;
    CHECK(training.result() == expected);
    if (code == 0) CHECK_FALSE(has_temporary_files(training));
    finished += code == 0;
    training.begin();
  }
  MESSAGE(signals << " signals: " << early << " before it listened, " << stopped << " stopped it, " << reporting
                  << " while it reported; " << finished << " trainings finished");
}

TEST_CASE("signals: Ctrl-C once more ends the program at once and harms no file") {
  if (!test::binary()) return;
  const Training training(endless_step(), small_model(512));
  const std::string start = slurp(join_path(training.run(), "last.ckpt"));
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    std::optional<Process> process;
    for (useconds_t pause = 0; pause < 2000000; pause += 200000) {
      process.emplace(training.command(), training.output_path());
      REQUIRE(within_minutes([&] { return contains(training.output(), "resuming at step 0"); }));
      usleep(pause);
      kill(process->pid(), signal);
      REQUIRE(within_minutes([&] { return contains(training.output(), "once more to stop at once"); }));
      for (int i = 0; i < 3; ++i) kill(process->pid(), SIGHUP);  // has no further effect
      usleep(400000);                                            // a second signal that comes sooner counts as the first
      if (!process->ended()) break;
      CHECK(contains(training.output(), "interrupted after step 0"));  // the signal came before the step: again, a little later
      training.begin();
    }
    CHECK_FALSE(process->ended());
    kill(process->pid(), signal);
    CHECK(end_of(*process) == code);
    INFO(training.output());
    CHECK_FALSE(contains(training.output(), "interrupted after step"));
    CHECK(slurp(join_path(training.run(), "last.ckpt")) == start);
  }
}

TEST_CASE(
    "signals: a terminal that closes ends the run with a checkpoint; under nohup it goes on; Ctrl-C is told on a line of its "
    "own") {
  if (!test::binary()) return;
  const std::string nohup = "nohup", hang_up = "hang up", key = "Ctrl-C";
  for (const std::string& what : {hang_up, nohup, key}) {
    CAPTURE(what);
    const Training training(often_saved(what == nohup ? 60 : 1000000));
    std::vector<std::string> command = training.command();
    if (what == nohup) command.insert(command.begin(), {"/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh"});
    Terminal terminal;
    Process process(command, training.output_path(), {"TERM=xterm"}, terminal.name());
    REQUIRE(terminal.shows(" epoch "));  // the bar
    if (what == key) {
      terminal.type('\x03');
      INFO(terminal.all());
      CHECK(contains(terminal.all(), "\nstopping after this step"));
      // The bar is gone: it was wiped, or an evaluation's line has ended it.
      const std::string told = "interrupted after step ";
      CHECK((contains(terminal.all(), "\033[K" + told) || contains(terminal.all(), "\n" + told)));
      CHECK(terminal.all().ends_with("\n"));
    }
    terminal.hang_up();
    CHECK(end_of(process) == (what == hang_up ? 129 : what == nohup ? 0 : 130));
    CHECK_FALSE(has_temporary_files(training));
    const int64_t step = step_of(load_checkpoint(join_path(training.run(), "last.ckpt")));
    CHECK(step == training.last_logged());
    CHECK((what == nohup ? step == 60 : step > 0));
  }
}

TEST_CASE("signals: standard streams that are closed end no training; results that cannot be written are a failure") {
  if (!test::binary()) return;
  const Training training(often_saved(6));
  REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
  const std::string expected = training.result();
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);  // 9 is a pipe without a reader
  REQUIRE((fcntl(9, F_GETFD) < 0 && dup2(ends[1], 9) == 9));
  const auto shell = [&](const std::string& streams, const std::vector<std::string>& command) {
    std::vector<std::string> words = {"/bin/sh", "-c", "exec \"$@\" " + streams, "sh"};
    words.insert(words.end(), command.begin(), command.end());
    Process process(words, training.output_path());
    return end_of(process);
  };
  for (const char* streams : {">&9", "2>&9", ">&9 2>&9", "<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"}) {
    CAPTURE(streams);
    training.begin();
    CHECK(shell(streams, training.command()) == 0);
    CHECK(litter(training.run()) == "");
    CHECK(slurp(join_path(training.run(), "run.lock")).size() < 10);  // no message is written into a file
    CHECK(training.result() == expected);
  }
  const std::string run = training.run();
  const std::string name = test::program();
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{name, "info", run}, {name, "info", run, "--json"}, {name, "eval", run, "--json"}}) {
    for (const char* streams : {">&9", ">&-", ">/dev/full"}) {
      CAPTURE(streams);
      CHECK(shell(streams, command) == 1);
      CHECK(contains(training.output(), "hydravit: standard output: cannot write the results"));
    }
    CHECK(shell("2>&9", command) == 0);
  }
  close(9);
  close(ends[1]);
}
