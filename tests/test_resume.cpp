// Exact resume of the program: stopped at any step, by SIGTERM or kill -9, and resumed on another number of threads, a run
// leaves the same bits as one that nothing interrupted: weights, average, moments, counters, log, predictions. HYDRAVIT_LONG:
// at every step.
#include <doctest/doctest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/training.h"

using namespace hv;
using namespace hv::train;
using namespace hv::crash_fixtures;
using hv::test::Process;
using hv::test::slurp;
using Json = nlohmann::json;

namespace {

constexpr int64_t kSteps = 50;

TrainOptions fifty_steps() {  // 4 steps per epoch, an evaluation every 8, a save every 7
  TrainOptions o = tiny_options();
  o.steps = kSteps;
  o.eval_every = 2;
  o.eval_limit = 10;
  o.lr = 1e-2;
  o.save_every = 7;
  o.log_interval = 1;
  return o;
}

Json without_times(Json event) {
  for (const char* name : {"unix_time", "seconds", "images_per_second", "time"}) event.erase(name);
  for (const char* list : {"results", "ema"}) {
    if (!event.contains(list)) continue;
    for (Json& result : event[list]) result.erase("images_per_second");
  }
  return event;
}

std::vector<std::string> without_seconds(std::vector<std::string> rows) {  // the fourth column
  for (std::string& row : rows) {
    size_t at = 0;
    for (int column = 0; column < 3; ++column) at = row.find(',', at) + 1;
    row.erase(at, row.find(',', at) - at);
  }
  return rows;
}

struct State {
  std::map<std::string, int64_t> counters;
  std::map<std::string, double> metrics;
  std::map<std::string, std::string> bytes;  // of each tensor
};

State state_of(const std::string& path) {
  const Checkpoint checkpoint = load_checkpoint(path);
  State state{checkpoint.header.counters, checkpoint.header.metrics, {}};
  state.metrics.erase("seconds");
  for (const NamedTensor& tensor : checkpoint.tensors) {
    std::string& bytes = state.bytes[tensor.name];
    bytes.resize(static_cast<size_t>(tensor.value.numel()) * sizeof(Real));
    std::memcpy(bytes.data(), tensor.value.data(), bytes.size());
  }
  return state;
}

// All that a finished run leaves, except times.
struct Outcome {
  explicit Outcome(const std::string& folder)
      : summary(without_seconds(lines(join_path(folder, "summary.csv")))),
        predictions(slurp(join_path(folder, "predictions.csv"))) {
    for (const std::string& line : lines(join_path(folder, "events.jsonl"))) {
      const Json event = Json::parse(line);
      if (event["event"] == "log" || event["event"] == "eval") events.push_back(without_times(event).dump());
    }
    for (const char* name : {"last.ckpt", "prev.ckpt", "best.ckpt"}) states[name] = state_of(join_path(folder, name));
  }
  std::vector<std::string> events, summary;
  std::string predictions;
  std::map<std::string, State> states;
};

void check_same(const Outcome& found, const Outcome& expected) {
  CHECK(found.events == expected.events);
  CHECK(found.summary == expected.summary);
  CHECK(found.predictions == expected.predictions);
  for (const auto& entry : expected.states) {
    CAPTURE(entry.first);
    const State& state = found.states.at(entry.first);
    CHECK(state.counters == entry.second.counters);
    CHECK(state.metrics == entry.second.metrics);
    CHECK(state.bytes == entry.second.bytes);
  }
}

}  // namespace

TEST_CASE("resume: stopped at any step, by SIGTERM or kill -9, and resumed on other threads, a run leaves the same bits") {
  if (!test::kPreloads) {
    MESSAGE("AddressSanitizer must be the first library of a program: skipped");
    return;
  }
  if (!test::binary() || !file_exists(test::faults_library())) {
    MESSAGE("HYDRAVIT_BINARY is not set, or no tests/faults.so lies beside it: skipped");
    return;
  }
  const Training training(fifty_steps(), tiny_model());
  REQUIRE(Process(training.command({}, 2), training.output_path()).wait() == 0);
  const Outcome expected(training.run());
  // events.jsonl is opened once, then each line is one write. Returns the number of the call that writes the line of a step.
  std::map<int64_t, int64_t> call_of;
  const std::string events = join_path(training.run(), "events.jsonl");
  int64_t call = 1;
  for (const std::string& line : lines(events)) {
    ++call;
    const Json event = Json::parse(line);
    if (event["event"] == "log") call_of[event["step"]] = call;
  }
  REQUIRE(std::ssize(call_of) == kSteps);

  struct Way {
    const char* name;
    int signal;
    int64_t save_every;
    int64_t after;  // steps from the one to stop at to the one whose line brings the signal
  };
  const Way ways[] = {
      {"SIGTERM", SIGTERM, 7, 0}, {"kill -9 after a save", SIGKILL, 1, 1}, {"kill -9 between saves", SIGKILL, 7, 1}};
  const std::set<int64_t> some = {8, 11, 49};  // an evaluation is due; the middle of an epoch; the last but one
  int64_t runs = 0;
  for (int64_t step = 1; step < kSteps; ++step) {
    if (!long_form() && !some.count(step)) continue;
    for (const Way& way : ways) {
      for (int threads = 1; threads <= 3; ++threads) {
        if (!long_form() && (step + way.save_every + way.after) % 3 != threads - 1) continue;
        CAPTURE(step);
        CAPTURE(way.name);
        CAPTURE(threads);
        training.begin();
        const std::string fault = concat("HYDRAVIT_FAULT=", call_of[step + way.after], ":", events);
        const std::vector<std::string> first =
            training.command({"--save-every", std::to_string(way.save_every)}, threads % 3 + 1);
        const int code = Process(first, training.output_path(),
                                 {"LD_PRELOAD=" + test::faults_library(), fault, concat("HYDRAVIT_FAULT_SIGNAL=", way.signal)})
                             .wait();
        INFO(training.output());
        REQUIRE(code == (way.signal == SIGTERM ? 143 : -SIGKILL));
        const int64_t saved = newest_step(training.run());
        CHECK(saved == (way.signal == SIGTERM || way.save_every == 1 ? step : std::max(step / 7 * 7, step / 8 * 8)));
        REQUIRE(Process(training.command({"--save-every", "7"}, threads), training.output_path()).wait() == 0);
        check_same(Outcome(training.run()), expected);
        ++runs;
      }
    }
  }
  MESSAGE(runs << " runs stopped and resumed");
}
