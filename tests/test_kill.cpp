// kill -9 at random moments and at every call to the system. The program is killed in the middle of a training and resumed in
// the same folder until the training is done; then the next training begins. HYDRAVIT_BINARY names the program.
#include <doctest/doctest.h>

#include <chrono>
#include <sstream>

#include "tests/training.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;
using hv::test::Process;
using hv::test::slurp;

namespace {

// Called after a session that ended by itself (0) or was killed: was it killed in the middle of writing a checkpoint?
bool check_folder(const Training& training, int code) {
  REQUIRE((code == -SIGKILL || code == 0));
  REQUIRE(newest_step(training.run()) >= std::max<int64_t>(0, training.last_logged() - 2));
  CHECK_NOTHROW(load_checkpoint(kept_path(training.run(), 0)));
  bool saving = false;
  std::istringstream left(litter(training.run()));
  std::set<std::string> writers;
  for (std::string name; left >> name;) {
    saving |= name.find(".ckpt.hydravit.tmp.") != std::string::npos;
    writers.insert(name.substr(std::min(name.size(), name.rfind(".tmp."))));
  }
  REQUIRE(writers.size() <= 1);  // a run cleans up before it writes
  return saving;
}

}  // namespace

TEST_CASE(
    "kill -9 at random moments: no checkpoint is lost, at most one save interval, nothing piles up, the result is the same "
    "bits") {
  if (!test::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Training training(often_saved(60), small_model(48));  // large enough that most of its time is spent in saving
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
  // The longest time before a kill, about that of a training. It adapts, because the machine may be busier at times.
  double life = std::min(1.0, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  const std::string expected = training.result();
  training.begin();

  Stream random(11, Purpose::test);
  const int64_t wanted = long_form() ? 1000 : 12;
  int64_t kills = 0, while_saving = 0, finished = 0;
  for (int64_t session = 0; kills < wanted || finished == 0; ++session) {
    Process process(training.command(), training.output_path());
    if (kills < wanted) usleep(static_cast<useconds_t>(1e6 * life * random.below(1000) / 1000));
    const int code = kills < wanted ? process.kill_now() : process.wait();
    INFO("session " << session << ": " << training.output());
    kills += code != 0;
    while_saving += check_folder(training, code);
    life = std::min(1.0, life * (code == 0 ? 0.8 : 1.1));
    if (code != 0) continue;
    CHECK(litter(training.run()) == "");
    CHECK(training.result() == expected);
    ++finished;
    training.begin();
  }
  MESSAGE(kills << " kills, " << while_saving << " of them in the middle of writing a checkpoint; " << finished
                << " trainings finished");
}

TEST_CASE("kill -9 at every call to the system: the same") {
  if (!test::kPreloads) {
    MESSAGE("AddressSanitizer must be the first library of a program: skipped");
    return;
  }
  if (!test::binary() || !file_exists(test::faults_library())) {
    MESSAGE("HYDRAVIT_BINARY is not set, or no tests/faults.so lies beside it: skipped");
    return;
  }
  const Training training(often_saved(6));
  REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
  const std::string expected = training.result();
  int64_t kills = 0, while_saving = 0;
  for (int64_t call = 1;; call += long_form() ? 1 : 23) {
    training.begin();
    const int code = Process(training.command(), training.output_path(),
                             {"LD_PRELOAD=" + test::faults_library(), concat("HYDRAVIT_FAULT=", call, ":", training.run())})
                         .wait();
    INFO("call " << call << ": " << training.output());
    while_saving += check_folder(training, code);
    if (code == 0) break;  // the training makes no more calls
    ++kills;
    REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
    CHECK(litter(training.run()) == "");
    CHECK(training.result() == expected);
  }
  CHECK(while_saving > 0);
  MESSAGE(kills << " kills, " << while_saving << " of them in the middle of writing a checkpoint");
}

TEST_CASE("run folder: an unreadable last.ckpt is told and set aside, the run goes on from the one before to the same bits") {
  if (!test::binary()) return;
  const Training training(often_saved(24));
  REQUIRE(Process(training.command({"--keep-best", "off"}), training.output_path()).wait() == 0);
  CHECK_FALSE(file_exists(join_path(training.run(), "best.ckpt")));
  training.begin();
  REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
  const std::string expected = training.result();
  training.begin();
  REQUIRE(Process(training.command({"--keep-last", "3", "--stop-after", "9"}), training.output_path()).wait() == 0);
  const std::string last = kept_path(training.run(), 0);
  CHECK(step_of(load_checkpoint(kept_path(training.run(), 2))) == 6);
  fs::resize_file(last, fs::file_size(last) - 1);
  REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
  CHECK(training.output().find("WARNING: " + last + ": ") != std::string::npos);
  CHECK(training.output().find("using the one before it, " + kept_path(training.run(), 1)) != std::string::npos);
  CHECK(training.output().find("resuming at step 8 in ") != std::string::npos);
  CHECK(litter(training.run()) == " last.ckpt.damaged prev2.ckpt");
  CHECK(training.result() == expected);
}

TEST_CASE("run folder: a second run is refused while the first lives, and no longer once that is killed") {
  if (!test::binary()) return;
  const Training training(often_saved(1000000));
  Process first(training.command(), training.output_path());
  const std::string events = join_path(training.run(), "events.jsonl");
  for (int tries = 0; tries < 6000 && !file_exists(events); ++tries) usleep(10000);
  REQUIRE(file_exists(events));
  const std::string other = training.output_path() + "2";
  CHECK(Process(training.command(), other).wait() == 2);
  CHECK(slurp(other) == concat("hydravit: ", training.run(), ": another training is going on in this folder, process ",
                               first.pid(), "; wait for it, stop it, or choose another --out\n"));
  CHECK(first.kill_now() == -SIGKILL);
  CHECK(Process(training.command({"--stop-after", "1"}), other).wait() == 0);
}
