// A long run: memory, open files and logs stay bounded. HYDRAVIT_LONG: 200,000 steps of a tiny HydraViT.
#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/crash_fixtures.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;

namespace {

int64_t resident_bytes() {
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int64_t open_files() { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}); }

}  // namespace

TEST_CASE("endurance: memory and open files stay as they are, logs grow by a line an interval and an evaluation") {
  const Threads threads;
  const Folder folder;
  TrainOptions o = tiny_options();
  o.steps = long_form() ? 200000 : 3000;
  o.batch_size = 4;   // 26 steps per epoch
  o.eval_every = 50;  // 1300 steps
  o.eval_limit = 20;
  o.save_every = 500;
  o.tensorboard = true;
  int64_t warm = 0, most = 0, files = 0, most_files = 0;
  Run run(
      o, folder.path(), true,
      [&](int64_t step, double) {
        if (step % 500 != 0) return;
        const bool warming = step <= o.steps / 2 && step <= 20000;
        (warming ? warm : most) = std::max(warming ? warm : most, resident_bytes());
        (warming ? files : most_files) = std::max(warming ? files : most_files, open_files());
      },
      long_form() ? tiny_model() : small_model());
  REQUIRE(run.trainer.run() == Ending::finished);
  MESSAGE(o.steps << " steps: " << warm / 1024 << " KiB after warming up, at most " << most / 1024 << " KiB later; " << files
                  << " open files, at most " << most_files << " later; events.jsonl " << fs::file_size(folder / "events.jsonl")
                  << " bytes, summary.csv " << fs::file_size(folder / "summary.csv"));
#ifndef HV_ASAN  // AddressSanitizer keeps what is freed for a while
  CHECK(most < warm + (1 << 20));
#endif
  CHECK(most_files == files);

  // Saves and evaluations fall on whole intervals here, so that none of them adds a line of steps.
  const int64_t evaluations = (o.steps - 1) / 1300;
  const std::vector<std::string> events = lines(folder / "events.jsonl");
  CHECK(std::ssize(events) ==
        1 + o.steps / o.log_interval + evaluations + 2 + 1);  // start, steps, evaluations, the last two, end
  for (const std::string& line : events) REQUIRE(line.size() < 2000);
  CHECK(std::ssize(lines(folder / "summary.csv")) == 1 + evaluations + 2);
  CHECK(litter(folder.path()).find(".tmp.") == std::string::npos);
}
