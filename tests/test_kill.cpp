// kill -9, at random moments and at every call to the system: the program is killed in the middle of a training again and again, in one
// folder, until the training is done; then the next training begins. HYDRAVIT_BINARY names the program.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sstream>

#include "data/open.h"
#include "tests/crash_fixtures.h"
#include "train/prepare.h"
#include "train/setup.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;

namespace {

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// The program in a process of its own.
class Process {
 public:
  Process(const std::vector<std::string>& arguments, const std::string& output, const std::vector<std::string>& environment = {}) {
    std::vector<const char*> argv, envp;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    for (const std::string& entry : environment) envp.push_back(entry.c_str());
    for (char** entry = environ; *entry; ++entry) envp.push_back(*entry);
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(file, STDOUT_FILENO);
      dup2(file, STDERR_FILENO);
      execve(argv[0], const_cast<char**>(argv.data()), const_cast<char**>(envp.data()));
      _exit(127);
    }
    close(file);
  }
  ~Process() {
    if (pid_ > 0) kill_now();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  pid_t pid() const { return pid_; }
  int wait() {  // the exit code, or -9 after kill -9
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  int kill_now() {
    kill(pid_, SIGKILL);
    return wait();
  }

 private:
  pid_t pid_ = 0;
};

// A training that stands at step 0, of a model that takes a moment a step, on a data set of 64 and 16 images.
class Training {
 public:
  static const char* binary() { return std::getenv("HYDRAVIT_BINARY"); }
  static std::string faults() { return (fs::absolute(binary()).parent_path() / "tests/faults.so").string(); }

  explicit Training(int64_t steps, int64_t hidden = 2) {
    fs::create_directories(folder_ / "data");
    for (const auto& [split, name, count] :
         {std::tuple{data::Split::train, "data_batch_1.bin", 64}, std::tuple{data::Split::test, "test_batch.bin", 16}}) {
      std::ofstream out(folder_ / (std::string("data/") + name), std::ios::binary);
      std::vector<uint8_t> record(3073);
      for (int i = 0; i < count; ++i) {
        data::draw_shape_record(1, split, i, record.data());
        out.write(reinterpret_cast<const char*>(record.data()), 3073);
      }
    }
    TrainOptions o = tiny_options();
    o.data = folder_ / "data";
    o.steps = steps;
    o.save_every = 2;
    o.log_interval = 1;
    const data::Source source = choose_data(o.data, o.kind, 32);
    const data::DatasetPtr train = data::open(source, data::Split::train), test = data::open(source, data::Split::test);
    const auto model = models::make_model(small_model(hidden), 5);
    RunSetup setup{*model, model->subnets(), *train, test.get(), o};
    setup.provenance = provenance(source, *train, test.get());
    const Trainer trainer(setup, make_recipe(o, setup.widths));
    save_checkpoint(folder_ / "start.ckpt", trainer.header(), trainer.tensors());
    begin();
  }
  void begin() const {
    fs::remove_all(run());
    fs::create_directories(run());
    fs::copy_file(folder_ / "start.ckpt", join_path(run(), "last.ckpt"));
  }
  std::string run() const { return folder_ / "run"; }
  std::string output() const { return slurp(folder_ / "output"); }
  std::vector<std::string> command(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {fs::absolute(binary()).string(), "train", "--resume", run(), "--threads", "1", "--report", "off"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string output_path() const { return folder_ / "output"; }

  // All that a finished run is: the bits of its states, what it says to every test image.
  std::string result() const {
    std::string text = slurp(join_path(run(), "predictions.csv"));
    for (const char* name : {"last.ckpt", "best.ckpt"}) {
      for (const TensorEntry& tensor : load_checkpoint(join_path(run(), name)).header.tensors) text += concat(tensor.crc, ' ');
    }
    return text;
  }
  int64_t last_logged() const {  // the last step that was surely done
    int64_t step = 0;
    for (const std::string& line : lines(join_path(run(), "events.jsonl"))) {
      const size_t at = line.find("\"step\":");
      if (at != std::string::npos && line.back() == '}') step = std::stoll(line.substr(at + 7));
    }
    return step;
  }

 private:
  Folder folder_{"kill"};
};

// After a session that ended by itself (0) or was killed. Was it killed in the middle of writing a checkpoint?
bool check_folder(const Training& training, int code) {
  REQUIRE((code == -SIGKILL || code == 0));
  REQUIRE(newest_step(training.run()) >= std::max<int64_t>(0, training.last_logged() - 2));
  CHECK_NOTHROW(load_checkpoint(kept_path(training.run(), 0)));
  bool saving = false;
  std::istringstream left(litter(training.run()));
  std::set<std::string> writers;
  for (std::string name; left >> name;) {
    saving |= name.find(".ckpt.tmp.") != std::string::npos;
    writers.insert(name.substr(std::min(name.size(), name.rfind(".tmp."))));
  }
  REQUIRE(writers.size() <= 1);  // a run cleans up before it writes
  return saving;
}

}  // namespace

TEST_CASE("kill -9 at random moments: no checkpoint is lost, at most one save interval, nothing piles up, the result is the same bits") {
  if (!Training::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Training training(60, 48);  // large enough that most of its time is spent in saving
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
  // The longest life before a kill: about that of a training. It follows what happens, for the machine may be busier at times.
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
  MESSAGE(kills << " kills, " << while_saving << " of them in the middle of writing a checkpoint; " << finished << " trainings finished");
}

TEST_CASE("kill -9 at every call to the system: the same") {
#ifdef __SANITIZE_ADDRESS__
  MESSAGE("AddressSanitizer must be the first library of a program: skipped");
#else
  if (!Training::binary() || !file_exists(Training::faults())) {
    MESSAGE("HYDRAVIT_BINARY is not set, or no tests/faults.so lies beside it: skipped");
    return;
  }
  const Training training(6);
  REQUIRE(Process(training.command(), training.output_path()).wait() == 0);
  const std::string expected = training.result();
  int64_t kills = 0, while_saving = 0;
  for (int64_t call = 1;; call += long_form() ? 1 : 23) {
    training.begin();
    const int code = Process(training.command(), training.output_path(),
                             {"LD_PRELOAD=" + Training::faults(), concat("HYDRAVIT_FAULT=", call, ":", training.run())})
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
#endif
}

TEST_CASE("run folder: an unreadable last.ckpt is told and set aside, the run goes on from the one before to the same bits") {
  if (!Training::binary()) return;
  const Training training(24);
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
  if (!Training::binary()) return;
  const Training training(1000000);
  Process first(training.command(), training.output_path());
  const std::string events = join_path(training.run(), "events.jsonl");
  for (int tries = 0; tries < 6000 && !file_exists(events); ++tries) usleep(10000);
  REQUIRE(file_exists(events));
  const std::string other = training.output_path() + "2";
  CHECK(Process(training.command(), other).wait() == 2);
  CHECK(slurp(other) == concat("hydravit: ", training.run(), ": another training is going on in this folder, process ", first.pid(),
                               "; wait for it, stop it, or choose another --out\n"));
  CHECK(first.kill_now() == -SIGKILL);
  CHECK(Process(training.command({"--stop-after", "1"}), other).wait() == 0);
}
