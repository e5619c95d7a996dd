// Budgets of models of several axes, and the cache of measured times.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>

#include "core/parallel.h"
#include "models/kinds.h"
#include "tests/error_of.h"
#include "tests/predict_fixtures.h"
#include "tests/program.h"
#include "train/files/file.h"
#include "train/io/print.h"
#include "train/predict/budget.h"
#include "train/predict/latency_cache.h"

using namespace hv;
using namespace hv::train;
using hv::test::error_of;
namespace fs = std::filesystem;

namespace {

class Environment {  // a variable, for as long as this lives; null: not set
 public:
  Environment(const char* name, const char* value) : name_(name) {
    const char* const before = std::getenv(name);
    if (before) before_ = before;
    set(value);
  }
  ~Environment() { set(before_ ? before_->c_str() : nullptr); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  void set(const char* value) const { value ? ::setenv(name_, value, 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

models::Config two_axes() {
  models::Config config = models::named_model("nano", 10);
  config["heads_min"] = "5";
  config["sizes"] = "16,32";
  return config;
}

std::vector<models::Cost> costs() { return models::costs(two_axes()); }  // heads5-px16, heads5-px32, heads6-px16, heads6-px32

}  // namespace

TEST_CASE("budget: of several axes the most accurate, or the most MACs if not all within it were evaluated") {
  Header header;
  std::vector<Offer> offers;
  const auto offer = [&](double cost, int64_t macs, std::optional<double> accuracy) {
    offers.push_back({costs().at(offers.size()).subnet, cost, macs, accuracy});
  };
  const auto text = [](double cost) { return concat(cost, " ms"); };
  const auto best = [&](double budget) { return best_offer("--budget-ms", budget, offers, text); };
  offer(2, 200, 50.0);
  offer(4, 400, 70.0);
  offer(3, 300, 70.0);
  offer(9, 900, {});
  CHECK((best(2).offer.subnet.id == 0 && best(2).fitting == 1 && best(2).by_accuracy));
  CHECK(best(3.5).offer.subnet.id == 2);
  CHECK((best(8).offer.subnet.id == 2 && best(8).fitting == 3));  // of equal ones the cheapest
  CHECK((best(9).offer.subnet.id == 3 && !best(9).by_accuracy));
  CHECK(error_of([&] { best(1.5); }) ==
        "--budget-ms: 1.5 ms is not enough for the cheapest, heads=5,px=16, which takes 2 ms an image; give at least that");

  header.metrics = {{"a_threshold", 1},         {"threshold_a.heads=5,px=16", 0.5}, {"seconds", 5},
                    {"top1.heads=5,px=16", 40}, {"ema_top1.heads=5,px=16", 45},     {"top1.heads=5,px=32", NAN}};
  CHECK(stored_accuracy(header, offers[0].subnet, false) == 40);
  CHECK(stored_accuracy(header, offers[0].subnet, true) == 45);
  CHECK(stored_accuracy(header, offers[1].subnet, false) == std::nullopt);
  CHECK(stored_accuracy(header, offers[2].subnet, false) == std::nullopt);
}

TEST_CASE("latency cache: what was measured counts for the same machine, program and model alone") {
  const fixtures::TempDir folder;
  const Environment cache("XDG_CACHE_HOME", folder.path().c_str());
  const models::Subnet one = costs()[0].subnet, two = costs()[1].subnet;
  LatencyCache first(two_axes());
  CHECK(first.find(one) == std::nullopt);
  first.keep();  // nothing
  CHECK(fs::is_empty(folder.path()));
  first.add(one, 0.25);
  first.keep();
  CHECK(LatencyCache(two_axes()).find(one) == 0.25);
  CHECK(LatencyCache(two_axes()).find(two) == std::nullopt);
  CHECK(LatencyCache(two_axes(), true).find(one) == std::nullopt);  // --measure-again
  CHECK(LatencyCache(models::named_model("nano", 10)).find(one) == std::nullopt);
  const int threads = num_threads();
  set_num_threads(threads + 1);
  CHECK(LatencyCache(two_axes()).find(one) == std::nullopt);
  set_num_threads(threads);
  LatencyCache more(two_axes());
  more.add(two, 0.5);
  more.keep();
  CHECK(LatencyCache(two_axes()).find(one) == 0.25);
  CHECK(LatencyCache(two_axes()).find(two) == 0.5);

  const std::string text = read_file(first.path(), kLargestLatencyFile);
  for (const char* what : {"\"program\": \"", "\"processor\": \"", "\"precision\": \"", "\"model\": \"", "\"threads\": \""}) {
    std::string other = text;
    other.insert(other.find(what) + std::string(what).size(), "x");
    write_file(first.path(), other);
    CHECK(LatencyCache(two_axes()).find(one) == std::nullopt);
  }
}

TEST_CASE("latency cache: a file that is none is replaced, links and pipes are not followed, no folder is no failure") {
  const fixtures::TempDir folder, elsewhere;
  const Environment cache("XDG_CACHE_HOME", folder.path().c_str());
  const models::Subnet one = costs()[0].subnet;
  const auto measured = [&] {  // what a start does
    LatencyCache now(two_axes());
    const bool known = now.find(one).has_value();
    now.add(one, 0.25);
    now.keep();
    return !known;
  };
  REQUIRE(measured());
  REQUIRE(!measured());
  const std::string path = LatencyCache(two_axes()).path(), text = read_file(path, kLargestLatencyFile);
  std::vector<std::string> bad = {"", "[]", "{}", "\0", text + "x", text + std::string(kLargestLatencyFile, ' ')};
  for (size_t length = 0; length + 2 < text.size(); length += 31) bad.push_back(text.substr(0, length));
  for (const char* time : {"0", "-1", "1e300", "\"fast\"", "[1]", "{}", "1e9"}) {
    bad.push_back(text);
    bad.back().replace(text.find("0.25"), 4, time);
  }
  for (const std::string& one_bad : bad) {
    write_file(path, one_bad);
    INFO(one_bad.substr(0, 400));
    CHECK(measured());
    CHECK(read_file(path, kLargestLatencyFile) == text);
  }

  write_file(elsewhere / "file", text);
  fs::remove(path);
  fs::create_symlink(elsewhere / "file", path);
  CHECK(measured());
  CHECK((!fs::is_symlink(path) && !measured()));
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(measured());
  CHECK(!measured());
  fs::remove(path);
  fs::create_directory(path);
  fs::create_directory(path + "/full");  // not to be replaced
  CHECK(measured());
  CHECK(measured());
  CHECK(read_file(elsewhere / "file", kLargestLatencyFile) == text);

  for (const char* nowhere : {"/dev/null/none", "/proc"}) {
    cache.set(nowhere);
    CHECK((measured() && measured()));
  }
  cache.set(nullptr);
  const Environment home("HOME", nullptr);
  CHECK(LatencyCache(two_axes()).path().empty());
  CHECK((measured() && measured()));
}

TEST_CASE("program: a budget searches all views; times are measured once") {
  using namespace hv::program_fixtures;
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program program;
  const auto model = models::make_model(two_axes(), 1);
  Header header = fixtures::shapes_header(*model);
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : model->parameters()) tensors.push_back({"model." + p.name, p.value});
  header.metrics = {{"top1.heads=5,px=16", 50}, {"top1.heads=5,px=32", 60}, {"top1.heads=6,px=16", 70}};
  save_checkpoint((program / "some").string(), header, tensors);
  header.metrics["top1.heads=6,px=32"] = 65;
  save_checkpoint((program / "all").string(), header, tensors);
  fixtures::write_shape((program / "0.png").string(), 0);
  const std::string before = "XDG_CACHE_HOME='" + (program / "cache").string() + "'";
  const auto predict = [&](const std::string& more) { return program("predict " + more + " 0.png --threads 1", before); };

  const auto macs = costs();
  const auto most = predict("all --budget-macs 1G");
  INFO(most.err);
  CHECK(most.code == 0);
  CHECK(most.out.starts_with("0.png  heads=6,px=16 "));
  CHECK(contains(most.err, "--budget-macs 1G: heads=6,px=16, the most accurate (70.00) of the 4 of 4 within the budget\n"));
  CHECK(predict(concat("all --budget-macs ", macs[2].macs - 1)).out.starts_with("0.png  heads=5,px=16 "));
  CHECK(contains(predict("some --budget-macs 1G").err,
                 "heads=6,px=32, that of the most MACs of the 4 of 4 within the budget, not all of which were evaluated\n"));
  check_refused(predict("all --budget-macs 1k"), 2, "is not enough for the cheapest, heads=5,px=16, which takes ");
  check_refused(predict("all --subnets '*' --budget-macs 1k"), 2, "--subnets and --budget-macs: both choose the width");
  check_refused(predict("all --measure-again"), 2, "--measure-again: only --budget-ms measures");

  CHECK(contains(predict("all --budget-ms 1e6").err,
                 "heads=6,px=16, the most accurate (70.00) of the 4 of 4 within the budget; measured, one image at a time, 1 "
                 "thread: heads=5,px=16 "));
  CHECK(contains(predict("some --budget-ms 1e6").err, "; from the cache, one image at a time, 1 thread: heads=5,px=16 "));
  CHECK(contains(predict("all --budget-ms 1e6 --measure-again").err, "; measured, one image at a time, 1 thread: "));
  const auto views = predict("all --heads 5-6 --subnets '*-px16'");
  CHECK(views.code == 0);
  CHECK(contains(views.out, "heads=6,px=16"));
  CHECK(!contains(views.out, "px=32"));
}
