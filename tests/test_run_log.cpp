// What a run tells: events.jsonl against what the steps really did, over endings of every kind.
#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/trainer_fixtures.h"
#include "train/json.h"

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
      : run(options, folder, test, [this](int64_t step, double loss) {
          CHECK(step == static_cast<int64_t>(losses.size()) + 1);
          losses.push_back(loss);
        }), sampler(static_cast<uint64_t>(options.seed), 3) {}
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
      CHECK(log.at("images_per_second").get<double>() > 0);
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
  Told told(options, folder.str(), true);
  CHECK(told.run.trainer.run() == Ending::finished);
  const std::string path = folder / "events.jsonl";
  // Steps 4, 6 (epoch: saved), 8, 12 (evaluated), 16, 18 (saved), 20; then on 30 and on all 50 test images.
  CHECK(kinds(path) == "start log log log log eval log log log eval eval end");
  told.check_logs(path, 20);

  const std::vector<Json> all = events(path);
  CHECK(all[0].at("step") == 0);
  CHECK(all[0].at("total_steps") == 20);
  const Json& width = all[0].at("widths")[1];
  const models::Subnet subnet = told.run.model->subnet(2);
  CHECK(width == Json{{"label", "heads=2"}, {"heads", 2}, {"dim", 16}, {"params", told.run.model->params(subnet)},
                      {"macs", told.run.model->macs(subnet)}, {"share", width.at("share")}});
  CHECK(width.at("share").get<double>() == doctest::Approx(1.0 / 3));
  const Json& eval = all[all.size() - 2];
  CHECK(eval.at("images") == 50);
  CHECK(eval.at("step") == 20);
  REQUIRE(eval.at("results").size() == 3);
  REQUIRE(eval.at("ema").size() == 3);
  CHECK(eval.at("results")[2].at("top1") == told.run.trainer.results()[2].top1);
  CHECK(eval.at("ema")[2].at("loss") == told.run.trainer.ema_results()[2].loss);
  CHECK(all.back().at("how") == "finished");
  double time = 0, seconds = 0;
  for (const Json& json : all) {
    CHECK(json.at("time").get<double>() >= time);
    time = json.at("time");
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
  Told first(options, folder.str());
  CHECK(first.run.trainer.run() == Ending::stopped);
  CHECK(events(path).back().at("how") == "stopped");
  first.check_logs(path, 14);
  const std::vector<std::string> before = lines(path);
  // As a process leaves it that was killed at step 17, while it wrote.
  append(path, R"({"event":"log","time":1,"step":15,"loss":1,"widths":[]})" "\n" R"({"event":"log","time":1,"step":17,"lo)");
  options.stop_after = 0;
  Run second(options, folder.str());
  second.trainer.restore(load_checkpoint(folder / "last.ckpt"));
  CHECK(second.trainer.run() == Ending::finished);
  const std::vector<std::string> after = lines(path);
  REQUIRE(after.size() > before.size());
  CHECK(std::equal(before.begin(), before.end(), after.begin()));
  CHECK(Json::parse(after[before.size()]).at("event") == "resume");
  CHECK(Json::parse(after[before.size()]).at("step") == 14);
  whole.check_logs(path, 30);

  Run anew(options, folder.str());  // not resumed: what is there belongs to another run
  CHECK(anew.trainer.run() == Ending::finished);
  CHECK(events(path)[0].at("event") == "start");
  whole.check_logs(path, 30);
}

TEST_CASE("events: interrupted and diverged runs say so") {
  const Threads threads;
  const Folder folder;
  const std::string path = folder / "events.jsonl";
  TrainOptions options = tiny_options();
  Run stopped(options, folder.str(), false, [&](int64_t step, double) {
    if (step == 4) raise(SIGTERM);
  });
  CHECK(stopped.trainer.run() == Ending::interrupted);
  CHECK(kinds(path) == "start log end");
  CHECK(events(path).back().at("how") == "interrupted");
  CHECK(events(path).back().at("step") == 4);

  Run broken(options, folder.str(), false, [&](int64_t step, double) {
    if (step == 3) broken.model->parameters()[0].value.detach().fill_(std::nan(""));
  });
  CHECK_THROWS_AS(broken.trainer.run(), Error);
  CHECK(kinds(path) == "start log end");
  CHECK(events(path)[1].at("step") == 3);
  CHECK(events(path).back().at("how") == "diverged");
}

TEST_CASE("events: numbers that are not finite are null; a line that is no event has no step") {
  LogEvent log{{7, 0.5, 2, 1e-3}, INFINITY, 10, {{3, 0, NAN}}};
  const Json json = Json::parse(event_json(log));
  CHECK(json.at("loss").is_null());
  CHECK(json.at("widths")[0].at("loss").is_null());
  CHECK(event_step(event_json(log)) == 7);
  for (const char* line : {"", "{", "7", "[1]", "null", "{\"step\":\"7\"}", "{\"step\":7", "{\"step\":7.5}", "\xff\xfe"}) {
    CHECK(event_step(line) == -1);
  }
}
