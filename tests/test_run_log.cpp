// What a run reports: events.jsonl against what the steps did, for runs that end in different ways; TensorBoard's file against
// events.jsonl.
#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/trainer_fixtures.h"

using namespace hv;
using namespace hv::train;
using namespace hv::trainer_fixtures;
using Json = nlohmann::json;

namespace {

std::vector<Json> events(const std::string& path, const std::string& kind = "") {  // every line must parse
  std::vector<Json> found;
  for (const std::string& line : lines(path)) {
    const Json json = Json::parse(line);
    if (kind.empty() || json.at("event") == kind) found.push_back(json);
  }
  return found;
}

std::string kinds(const std::string& path) {  // "start log eval end"
  std::string text;
  for (const Json& json : events(path)) text += (text.empty() ? "" : " ") + json.at("event").get<std::string>();
  return text;
}

void append(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }

// A run that keeps what its steps were, as on_step tells it.
struct Told {
  Told(const TrainOptions& options, const std::string& folder, bool test = false)
      : run(options, folder, test,
            [this](int64_t step, double loss) {
              CHECK(step == static_cast<int64_t>(losses.size()) + 1);
              losses.push_back(loss);
            }),
        sampler(static_cast<uint64_t>(options.seed), 3) {}
  // The log lines say what the steps up to `step` did: no step missing, none twice.
  void check_logs(const std::string& path, int64_t step) const {
    int64_t last = 0;
    for (const Json& log : events(path, "log")) {
      const int64_t now = log.at("step");
      REQUIRE(now > last);
      double all = 0, sums[3] = {};
      int64_t drawn[3] = {};
      for (int64_t s = last; s < now; ++s) {
        const int64_t width = sampler.draw(s);
        ++drawn[width];
        sums[width] += losses[static_cast<size_t>(s)];
        all += losses[static_cast<size_t>(s)];
      }
      CHECK(log.at("loss").get<double>() == doctest::Approx(all / static_cast<double>(now - last)).epsilon(1e-12));
      REQUIRE(log.at("widths").size() == 3);
      for (size_t w = 0; w < 3; ++w) {
        const Json& width = log.at("widths")[w];
        CHECK(width.at("heads") == w + 1);
        CHECK(width.at("drawn") == drawn[w]);
        if (drawn[w] == 0) {
          CHECK(width.at("loss").is_null());
        } else {
          CHECK(width.at("loss").get<double>() == doctest::Approx(sums[w] / static_cast<double>(drawn[w])).epsilon(1e-12));
        }
      }
      double seconds = 0;
      for (const auto& [part, time] : log.at("time").items()) seconds += time.get<double>();
      CHECK(log.at("time").size() == 6);
      for (const char* part : {"gemm", "attention", "norm_activation", "optimizer"})
        CHECK(log.at("time").at(part).get<double>() > 0);
      // 16 images a step; and never more than the time that the run has taken.
      CHECK(log.at("images_per_second").get<double>() * seconds == doctest::Approx(static_cast<double>(16 * (now - last))));
      CHECK(seconds <= log.at("seconds").get<double>() + 0.001);
      CHECK(log.at("lr").get<double>() > 0);
      CHECK(log.at("epoch").get<double>() == doctest::Approx(static_cast<double>(now) / 6));
      last = now;
    }
    CHECK(last == step);
  }
  std::vector<double> losses;
  Run run;
  WidthSampler sampler;
};

}  // namespace

TEST_CASE("events: a line each log interval, before each save, evaluation and the end; they count every step once") {
  const Threads threads;
  const Folder folder;
  TrainOptions options = tiny_options();
  options.steps = 20;
  options.log_interval = 4;
  options.eval_limit = 30;
  options.eval_every = 2;
  Told told(options, folder.path(), true);
  CHECK(told.run.trainer.run() == Ending::finished);
  const std::string path = folder / "events.jsonl";
  // Steps 4, 6 (epoch: saved), 8, 12 (evaluated), 16, 18 (saved), 20; then on 30 and on all 50 test images.
  CHECK(kinds(path) == "start log log log log eval log log log eval eval end");
  told.check_logs(path, 20);

  const std::vector<Json> every = events(path);
  CHECK(every[0].at("step") == 0);
  CHECK(every[0].at("total_steps") == 20);
  const Json& width = every[0].at("widths")[1];
  const models::Subnet subnet = told.run.model->subnet(2);
  CHECK(width == Json{{"label", "heads=2"},
                      {"heads", 2},
                      {"dim", 16},
                      {"params", told.run.model->params(subnet)},
                      {"macs", told.run.model->macs(subnet)},
                      {"share", width.at("share")}});
  CHECK(width.at("share").get<double>() == doctest::Approx(1.0 / 3));
  const Json& eval = every[every.size() - 2];
  CHECK(eval.at("images") == 50);
  CHECK(eval.at("step") == 20);
  REQUIRE(eval.at("results").size() == 3);
  REQUIRE(eval.at("ema").size() == 3);
  CHECK(eval.at("results")[2].at("top1") == told.run.trainer.results()[2].metric("top1"));
  CHECK(eval.at("ema")[2].at("loss") == told.run.trainer.ema_results()[2].metric("loss"));
  CHECK(every.back().at("how") == "finished");
  double time = 0, seconds = 0;
  for (const Json& json : every) {
    CHECK(json.at("unix_time").get<double>() >= time);
    time = json.at("unix_time");
    if (!json.contains("seconds")) continue;
    CHECK(json.at("seconds").get<double>() >= seconds);
    seconds = json.at("seconds");
  }
  CHECK(time > 1.7e9);
}

TEST_CASE("events: a resumed run drops a cut line and the steps it does again, and keeps the rest") {
  const Threads threads;
  const Folder folder;
  const std::string path = folder / "events.jsonl";
  TrainOptions options = tiny_options();
  options.log_interval = 5;
  options.stop_after = 14;
  Told whole(tiny_options(), "");
  whole.run.trainer.run();
  Told first(options, folder.path());
  CHECK(first.run.trainer.run() == Ending::stopped);
  CHECK(events(path).back().at("how") == "stopped");
  first.check_logs(path, 14);
  const std::vector<std::string> before = lines(path);
  // The file as a process leaves it that is killed while it writes at step 17.
  append(path, R"({"event":"log","step":15,"loss":1,"widths":[]})"
               "\n"
               R"({"event":"log","step":17,"lo)");
  options.stop_after = 0;
  Run second(options, folder.path());
  second.trainer.restore(load_checkpoint(folder / "last.ckpt"));
  CHECK(second.trainer.run() == Ending::finished);
  const std::vector<std::string> after = lines(path);
  REQUIRE(after.size() > before.size());
  CHECK(std::equal(before.begin(), before.end(), after.begin()));
  CHECK(Json::parse(after[before.size()]).at("event") == "resume");
  CHECK(Json::parse(after[before.size()]).at("step") == 14);
  whole.check_logs(path, 30);

  Run anew(options, folder.path());  // not resumed: what is there belongs to another run
  CHECK(anew.trainer.run() == Ending::finished);
  CHECK(events(path)[0].at("event") == "start");
  whole.check_logs(path, 30);
}

TEST_CASE("events: interrupted and diverged runs say so") {
  const Threads threads;
  const Folder folder;
  const std::string path = folder / "events.jsonl";
  TrainOptions options = tiny_options();
  Run stopped(options, folder.path(), false, [&](int64_t step, double) {
    if (step == 4) raise(SIGTERM);
  });
  CHECK(stopped.trainer.run() == Ending::interrupted);
  CHECK(kinds(path) == "start log end");
  CHECK(events(path).back().at("how") == "interrupted");
  CHECK(events(path).back().at("step") == 4);

  Run broken(options, folder.path(), false, [&](int64_t step, double) {
    if (step == 3) broken.model->parameters()[0].value.detach().fill_(std::nan(""));
  });
  CHECK_THROWS_AS(broken.trainer.run(), Error);
  CHECK(kinds(path) == "start log end");
  CHECK(events(path)[1].at("step") == 3);
  CHECK(events(path).back().at("how") == "diverged");
}

TEST_CASE("events: numbers that are not finite are null; a line that is no event has no step") {
  const LogEvent log{{7, 0.5, 2, 1e-3}, INFINITY, 10, {{{"heads3", "heads=3", 1, {{"heads", 3}}}, 0, NAN}}, {}};
  const Json json = Json::parse(event_json(log));
  CHECK(json.at("loss").is_null());
  CHECK(json.at("widths")[0].at("loss").is_null());
  CHECK(event_step(event_json(log)) == 7);
  for (const char* line : {"", "{", "7", "[1]", "null", "{\"step\":\"7\"}", "{\"step\":7", "{\"step\":7.5}", "\xff\xfe"}) {
    CHECK(event_step(line) == -1);
  }
}

namespace {

uint32_t naive_masked_crc(const std::string& bytes) {  // bit by bit
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

// Takes protobuf's wire format apart.
struct Wire {
  std::string bytes;
  size_t at = 0;
  bool more() const { return at < bytes.size(); }
  std::string take(size_t n) {
    REQUIRE(at + n <= bytes.size());
    at += n;
    return bytes.substr(at - n, n);
  }
  template <class T>
  T fixed() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const uint8_t byte = fixed<uint8_t>();
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
  std::string text() { return take(varint()); }
};

struct BoardEvent {
  uint64_t step = 0;
  std::string version, session;
  std::map<std::string, float> scalars;
};

std::vector<BoardEvent> board_events(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().rfind("events.out.tfevents.", 0) == 0) files.push_back(entry.path());
  }
  REQUIRE(files.size() == 1);
  std::ifstream in(files[0], std::ios::binary);
  Wire file{{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}};
  std::vector<BoardEvent> found;
  while (file.more()) {
    const std::string length = file.take(8);
    CHECK(file.fixed<uint32_t>() == naive_masked_crc(length));
    Wire event{file.take(Wire{length}.fixed<uint64_t>())};
    CHECK(file.fixed<uint32_t>() == naive_masked_crc(event.bytes));
    BoardEvent& now = found.emplace_back();
    while (event.more()) {
      const uint64_t key = event.varint();
      if (key == (1 << 3 | 1)) {
        CHECK(event.fixed<double>() > 1.7e9);
      } else if (key == (2 << 3 | 0)) {
        now.step = event.varint();
      } else if (key == (3 << 3 | 2)) {
        now.version = event.text();
      } else if (key == (7 << 3 | 2)) {
        now.session = event.text();
      } else {
        REQUIRE(key == (5 << 3 | 2));
        Wire summary{event.text()};
        while (summary.more()) {
          REQUIRE(summary.varint() == (1 << 3 | 2));
          Wire value{summary.text()};
          REQUIRE(value.varint() == (1 << 3 | 2));
          const std::string tag = value.text();
          REQUIRE(value.varint() == (2 << 3 | 5));
          now.scalars[tag] = value.fixed<float>();
        }
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("tensorboard: records and checksums as published") {
  CHECK(masked_crc32c(std::string("\x18\0\0\0\0\0\0\0", 8)) == 0x224b7fa3u);  // how files of TensorFlow begin
  for (const std::string& text : {std::string(), std::string("123456789"), std::string(1000, 'x')}) {
    CHECK(masked_crc32c(text) == naive_masked_crc(text));
  }
  const std::string record = tf_record("abc");
  REQUIRE(record.size() == 8 + 4 + 3 + 4);
  CHECK(record.substr(0, 8) == std::string("\3\0\0\0\0\0\0\0", 8));
  CHECK(record.substr(12, 3) == "abc");
}

TEST_CASE("tensorboard: the scalars are those of events.jsonl; a resumed run voids what came after its step") {
  const Threads threads;
  const Folder folder;
  TrainOptions options = tiny_options();
  options.log_interval = 4;
  options.steps = 12;
  options.eval_limit = 30;
  options.tensorboard = true;
  Run first(options, folder.path(), true);
  CHECK(first.trainer.run() == Ending::finished);
  std::vector<BoardEvent> found = board_events(folder.path());
  CHECK(found[0].version == "brain.Event:2");
  size_t at = 1;
  for (const Json& event : events(folder / "events.jsonl")) {
    if (event.at("event") != "log" && event.at("event") != "eval") continue;
    REQUIRE(at < found.size());
    const BoardEvent& told = found[at++];
    CHECK(told.step == event.at("step").get<uint64_t>());
    if (event.at("event") == "log") {
      CHECK(told.scalars.at("loss/train") == doctest::Approx(event.at("loss").get<double>()).epsilon(1e-6));
      CHECK(told.scalars.at("lr") == doctest::Approx(event.at("lr").get<double>()).epsilon(1e-6));
      for (const Json& width : event.at("widths")) {
        CHECK(told.scalars.count(concat("train_loss/heads=", width.at("heads").get<int>())) == (width.at("drawn") > 0));
      }
    } else {
      CHECK(told.scalars.size() == 18);
      CHECK(told.scalars.at("top1/heads=2") == doctest::Approx(event.at("results")[1].at("top1").get<double>()).epsilon(1e-6));
      CHECK(told.scalars.at("ema_loss/heads=3") == doctest::Approx(event.at("ema")[2].at("loss").get<double>()).epsilon(1e-6));
    }
  }
  CHECK(at == found.size());

  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().filename().string().rfind("events.out", 0) == 0) fs::remove(entry.path());
  }
  options.steps = 15;
  Run second(options, folder.path(), true);
  second.trainer.restore(load_checkpoint(folder / "last.ckpt"));
  CHECK(second.trainer.run() == Ending::finished);
  found = board_events(folder.path());
  CHECK(found[1].session == "\x08\x01");
  CHECK(found[1].step == 13);
  CHECK(found[2].step == 15);
}
