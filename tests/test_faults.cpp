// Each call to the system that saving and logging make fails once. What was saved stays, the error says where and why, and the
// run continues.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <sstream>

#include "data/files.h"
#include "tests/crash_fixtures.h"
#include "tests/data_fixtures.h"
#include "tests/error_of.h"
#include "tests/faults.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;
using hv::test::error_of;

namespace {

struct Break {
  const char* name;
  faults::Kind kind;
  int error;
};
const Break kFaults[] = {{"EIO", faults::Kind::fail, EIO},
                         {"ENOSPC", faults::Kind::fail, ENOSPC},
                         {"EINTR", faults::Kind::fail, EINTR},
                         {"short", faults::Kind::shorten, 0}};

size_t open_files() {
  return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class ErrorOutput {  // what goes to stderr meanwhile
 public:
  ErrorOutput() : before_(dup(STDERR_FILENO)) { dup2(fileno(file_), STDERR_FILENO); }
  ~ErrorOutput() {
    dup2(before_, STDERR_FILENO);
    close(before_);
    std::fclose(file_);
  }
  std::string text() {
    std::string all(static_cast<size_t>(lseek(fileno(file_), 0, SEEK_END)), '\0');
    all.resize(static_cast<size_t>(std::max<ssize_t>(0, pread(fileno(file_), all.data(), all.size(), 0))));
    return all;
  }

 private:
  std::FILE* file_ = std::tmpfile();
  int before_;
};

// A run of six steps with a save and a log line after each, and an evaluation every second.
TrainOptions six_steps() {
  TrainOptions o = tiny_options();
  o.steps = 6;
  o.batch_size = 52;  // 2 batches per epoch
  o.save_every = o.log_interval = 1;
  return o;
}

struct SixSteps {
  explicit SixSteps(const std::string& folder) : run(six_steps(), folder, true, {}, small_model()) {}
  Run run;
};

std::vector<double> expected_state() {
  SixSteps whole("");
  whole.run.trainer.run();
  return whole.run.state();
}

double best_of(const std::string& path) { return read_header(path).metrics.at("best_top1"); }

}  // namespace

TEST_CASE(
    "faults: every call of a save fails once, or all from there on: the last state or the new one loads, and the one before") {
  const std::vector<NamedTensor> tensors = {{"w", Tensor::full({3, 5}, 2)}, {"b", Tensor::zeros({7})}};
  std::set<std::string> met;
  std::vector<Break> kinds(std::begin(kFaults), std::end(kFaults));
  kinds.push_back({"dead", faults::Kind::fail, EIO});  // every later call fails, too, as if the process were killed there
  for (const Break& fault : kinds) {
    const bool dead = std::string(fault.name) == "dead";
    for (int64_t n = 1;; ++n) {
      const Folder folder;
      Header header;
      const auto save = [&](int64_t step) {
        header.counters["step"] = step;
        save_run(folder.path(), header, tensors, 3);
      };
      for (int64_t step = 1; step <= 4; ++step) save(step);
      const size_t files = open_files();
      faults::arm({folder.path(), fault.kind, fault.error, n, dead ? int64_t{1} << 40 : n});
      const std::string error = error_of([&] { save(5); });
      const int64_t calls = faults::calls();
      faults::disarm();
      if (calls < n) break;
      met.insert(faults::met());
      INFO(fault.name << " at call " << n << ", " << faults::met() << ": " << error);
      if (fault.error == EINTR && faults::met() != "rename" && faults::met() != "link") CHECK(error == "no error");
      if (fault.kind == faults::Kind::shorten) CHECK(error == "no error");
      CHECK(open_files() == files);
      std::string warning;
      const int64_t step = step_of(load_run(folder.path(), [&](const std::string& text) { warning = text; }));
      CHECK(warning == "");
      CHECK((step == 5 || (step == 4 && error != "no error")));
      CHECK(step_of(load_checkpoint(folder / "prev.ckpt")) >= 3);
      CHECK(step_of(load_checkpoint(folder / "prev2.ckpt")) >= 2);
      if (error != "no error") {
        CHECK(error.find(folder.path()) == 0);
        CHECK(contains(error, std::strerror(fault.error)));
      }
      remove_stale_files(folder.path());
      CHECK(litter(folder.path()) == " prev2.ckpt");
      CHECK(error_of([&] { save(6); }) == "no error");
      CHECK(newest_step(folder.path()) == 6);
    }
  }
  for (const char* name : {"open", "write", "fsync", "close", "link", "rename"}) CHECK(met.count(name) == 1);
}

TEST_CASE(
    "faults: every call of a training's files fails once: it goes on to the same bits, or stops and can be resumed to them") {
  const Threads threads;
  const std::vector<double> expected = expected_state();
  int64_t runs = 0, went_on = 0, stopped = 0;
  for (const Break& fault : kFaults) {
    // The short form tries every seventh call, from another start per fault; the tests above try every call of one save.
    for (int64_t n = long_form() ? 1 : 1 + (&fault - kFaults) * 2;; n += long_form() ? 1 : 7) {
      const Folder folder;
      const size_t files = open_files();
      std::string error, told;
      int64_t saved = -1;
      {
        SixSteps broken(folder.path());
        ErrorOutput output;
        faults::arm({folder.path(), fault.kind, fault.error, n, n});
        error = error_of([&] { broken.run.trainer.run(); });
        faults::disarm();
        told = output.text();
        saved = newest_step(folder.path());
        if (error == "no error") CHECK(broken.run.state() == expected);
        if (error == "no error") CHECK(best_of(folder / "best.ckpt") == best_of(folder / "last.ckpt"));
      }
      if (faults::calls() < n) break;
      ++runs;
      INFO(fault.name << " at call " << n << ", " << faults::met() << ": " << error << "; told: " << told);
      CHECK(open_files() == files);
      CHECK(litter(folder.path()) == "");
      if (error == "no error") {
        ++went_on;
        CHECK(saved == 6);
        if (!told.empty()) CHECK((contains(told, folder.path()) && contains(told, std::strerror(fault.error))));
      } else {
        ++stopped;
        CHECK(error.find(folder.path()) == 0);
        CHECK(contains(error, std::strerror(fault.error)));
        SixSteps again(folder.path());
        if (saved >= 0) again.run.trainer.restore(load_run(folder.path(), [](const std::string&) {}));
        again.run.trainer.run();
        CHECK(again.run.state() == expected);
        CHECK(best_of(folder / "best.ckpt") == best_of(folder / "last.ckpt"));
      }
    }
  }
  CHECK(went_on > stopped);  // only the first and the last calls of a run must not fail
  CHECK(stopped > 0);
  MESSAGE(runs << " runs: " << went_on << " went on, " << stopped << " stopped");
}

TEST_CASE(
    "faults: every read of loading fails once: continued where that is right, else the file, the place and the reason are "
    "told") {
  const Threads threads;
  const Folder folder;
  SixSteps whole(folder.path());
  whole.run.trainer.run();
  const std::string last = folder / "last.ckpt", prev = folder / "prev.ckpt";
  const OpenFolder held(folder.path());
  const std::vector<uint8_t> last_bytes = fixtures::read_bytes(last), prev_bytes = fixtures::read_bytes(prev);
  std::set<std::string> met;
  int64_t reads = 0;
  // Returns what is loaded, or the error; the folder must stay unchanged in both cases.
  const auto broken = [&](const Break& fault, int64_t n, const auto& load) {
    const size_t files = open_files();
    faults::arm({.folder = folder.path(), .kind = fault.kind, .error = fault.error, .first = n, .last = n, .reads = true});
    const std::string error = error_of(load);
    faults::disarm();
    if (faults::calls() >= n) met.insert(fault.name + (" " + faults::met()));
    CHECK(open_files() == files);
    CHECK(fixtures::read_bytes(last) == last_bytes);
    CHECK(fixtures::read_bytes(prev) == prev_bytes);
    return error;
  };
  for (const Break& fault : kFaults) {
    for (int64_t n = 1;; ++n) {
      INFO(fault.name << " at call " << n);
      Checkpoint checkpoint;
      const std::string error = broken(fault, n, [&] { checkpoint = load_checkpoint(last); });
      if (faults::calls() < n) break;
      ++reads;
      const bool fails = fault.kind == faults::Kind::fail && fault.error != EINTR && faults::met() != "close";
      if (fails) {
        CHECK(error.find(last + ": cannot ") == 0);
        CHECK(contains(error, std::strerror(fault.error)));
      } else {
        CHECK(error == "no error");
        SixSteps again("");
        again.run.trainer.restore(checkpoint);
        CHECK(again.run.state() == whole.run.state());
      }
      // A run folder: the earlier state is loaded. The newer one stays, because the disk may have failed only for a moment.
      std::string told;
      Checkpoint taken;
      const auto tell = [&](const std::string& text) { told = text; };
      const std::string folder_error = broken(fault, n, [&] { taken = load_run(held, tell); });
      CHECK(folder_error == "no error");
      CHECK(taken.path == (fails ? prev : last));
      CHECK(told.empty() == !fails);
      if (fails)
        CHECK((contains(told, last + ": cannot ") && contains(told, std::strerror(fault.error)) && contains(told, prev)));
    }
  }
  CHECK(reads > 100);
  for (const char* kind : {"EIO read", "EINTR read", "short read", "EIO open"}) CHECK(met.count(kind) == 1);

  go_on_from(folder.path(), prev);  // what a resumed run does then
  CHECK(fixtures::read_bytes(last) == prev_bytes);
  CHECK(fixtures::read_bytes(last + ".damaged") == last_bytes);

  // The readers of data/: a whole small file, a part, in pieces.
  fixtures::write_text(folder / "data", std::string(100000, 'x'));
  for (const Break& fault : kFaults) {
    for (int64_t n = 2; n <= 3; ++n) {  // 1 is open
      size_t bytes = 0;
      faults::arm({.folder = folder.path(), .kind = fault.kind, .error = fault.error, .first = n, .last = n, .reads = true});
      const std::string error = error_of([&] {
        bytes = data::read_small(folder / "data", 1 << 20).size();
        data::read_chunks(folder / "data", [&](std::span<const uint8_t> piece) { bytes += piece.size(); });
      });
      faults::disarm();
      INFO(fault.name << " at call " << n << ", " << faults::met() << ": " << error);
      if (faults::met() == "read" && fault.kind == faults::Kind::fail && fault.error != EINTR) {
        CHECK(error == concat(folder / "data", ": cannot read at byte 0: ", std::strerror(fault.error)));
      } else {
        CHECK(error == "no error");
        CHECK(bytes == 200000);
      }
    }
  }
}

TEST_CASE("faults: a disk that is full for a while costs saves and log lines, not the run") {
  const Threads threads;
  const Folder folder;
  faults::arm({folder.path(), faults::Kind::none, 0, 0, 0});
  SixSteps whole(folder.path());
  whole.run.trainer.run();
  const int64_t calls = faults::calls();
  faults::disarm();
  for (const bool for_good : {false, true}) {
    fs::remove_all(folder.path());
    fs::create_directories(folder.path());
    SixSteps run(folder.path());
    ErrorOutput output;
    faults::arm({folder.path(), faults::Kind::fail, ENOSPC, calls / 3, for_good ? int64_t{1} << 40 : calls / 3 + 8});
    const std::string error = error_of([&] { run.run.trainer.run(); });
    faults::disarm();
    const std::string told = output.text();
    CHECK(run.run.trainer.step() == 6);
    CHECK(contains(told, "is not saved: " + (folder / "")));
    CHECK(contains(told, "No space left on device; free some space, what was there before is untouched; training goes on"));
    CHECK(contains(told, "events.jsonl: cannot write: No space left on device"));
    if (for_good) {
      CHECK(contains(error, "cannot create: No space left on device"));
      CHECK(newest_step(folder.path()) >= 1);
    } else {
      CHECK(error == "no error");
      CHECK(newest_step(folder.path()) == 6);
      CHECK(run.run.state() == whole.run.state());
      for (const std::string& line : lines(folder / "events.jsonl")) CHECK((line.front() == '{' && line.back() == '}'));
    }
  }
}

TEST_CASE("faults: a log line that did not fit leaves no part of itself") {
  const Folder folder;
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  std::string line(300, 'x');
  line.back() = '\n';
  AppendFile file(folder / "log");
  const auto append = [&] { file.append(line); };
  for (int i = 0; i < 3; ++i) append();
  const rlimit tight{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  const std::string error = error_of(append);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  CHECK(error.find((folder / "log") + ": cannot write: File too large") == 0);
  CHECK(fs::file_size(folder / "log") == 900);
  append();
  CHECK(lines(folder / "log").size() == 4);
}

TEST_CASE("faults: the best state is saved before the last one, so that a run killed between the two finds it again") {
  const Threads threads;
  const Folder folder;
  SixSteps run(folder.path());
  std::vector<faults::Call> record;
  faults::arm({folder.path(), faults::Kind::none, 0, 0, 0});
  faults::record(&record);
  run.run.trainer.run();
  faults::record(nullptr);
  faults::disarm();
  const auto found =
      std::find_if(record.begin(), record.end(), [](const faults::Call& call) { return contains(call.bytes, "\"eval\""); });
  const auto saved = std::find_if(found, record.end(), [](const faults::Call& call) { return contains(call.path, ".ckpt"); });
  REQUIRE(saved != record.end());
  CHECK(contains(saved->path, "best.ckpt"));
}

TEST_CASE("faults: a real full disk, then a larger one") {
  const Threads threads;
  const Folder folder;
  if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=200k") != 0) {
    MESSAGE("no tmpfs may be mounted here (" << std::strerror(errno) << "): skipped");
    return;
  }
  const struct Unmount {
    const Folder& folder;
    ~Unmount() { umount2(folder.path().c_str(), MNT_DETACH); }
  } unmount{folder};
  std::string told, error;
  {
    SixSteps run(folder.path());
    ErrorOutput output;
    error = error_of([&] { run.run.trainer.run(); });
    told = output.text();
  }
  INFO(told);
  CHECK(contains(error, "last.ckpt: cannot write: No space left on device"));
  CHECK(contains(told, "training goes on, the next save tries again"));
  CHECK(litter(folder.path()) == "");
  CHECK(newest_step(folder.path()) == 0);  // one fits
  REQUIRE(mount("tmpfs", folder.path().c_str(), "tmpfs", MS_REMOUNT, "size=8m") == 0);
  SixSteps again(folder.path());
  again.run.trainer.restore(load_run(folder.path(), [](const std::string&) {}));
  again.run.trainer.run();
  CHECK(again.run.state() == expected_state());
}
