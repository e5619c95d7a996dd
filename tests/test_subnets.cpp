// Choosing subnetworks by values and by patterns of names, and how tables show many.
#include <doctest/doctest.h>

#include <functional>

#include "core/random.h"
#include "models/kinds.h"
#include "tests/error_of.h"
#include "tests/program.h"
#include "train/choice/choose.h"
#include "train/log/results.h"
#include "train/log/summary.h"
#include "train/subnets.h"

using namespace hv;
using namespace hv::train;
using hv::test::error_of;

namespace {

std::vector<models::Subnet> subnets_of(const std::string& preset, const models::Config& changes = {}) {
  models::Config config = models::named_model(preset, 10);
  for (const auto& [name, value] : changes) config[name] = value;
  std::vector<models::Subnet> all;
  for (const models::Cost& cost : models::costs(config)) all.push_back(cost.subnet);
  return all;
}

const models::Config kViews = {{"sizes", "16,24,32"}, {"keep", "0.5,0.7,1"}};

std::string names(const std::vector<models::Subnet>& subnets) {
  std::string text;
  for (const models::Subnet& subnet : subnets) text += (text.empty() ? "" : " ") + subnet.name;
  return text;
}

Header trained_for(const std::string& heads, const std::string& patterns) {
  Header header;
  header.options = {{"heads", heads}, {"subnets", patterns}};
  return header;
}

}  // namespace

TEST_CASE("subnets: patterns fit as their plain recursive twin says") {
  const std::function<bool(const char*, const char*)> twin = [&](const char* text, const char* pattern) -> bool {
    if (*pattern == 0) return *text == 0;
    if (*pattern == '*') return twin(text, pattern + 1) || (*text != 0 && twin(text + 1, pattern));
    return *text != 0 && (*pattern == '?' || *pattern == *text) && twin(text + 1, pattern + 1);
  };
  Stream stream(1, Purpose::bench);
  const auto word = [&](const std::string& letters, int64_t most) {
    std::string text(static_cast<size_t>(stream.below(static_cast<uint32_t>(most + 1))), ' ');
    for (char& c : text) c = letters[static_cast<size_t>(stream.below(static_cast<uint32_t>(letters.size())))];
    return text;
  };
  int fitting = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = word("ab", 6), pattern = word("ab?*", 6);
    INFO(text, " ", pattern);
    const bool fits = fits_pattern(text, pattern);
    REQUIRE(fits == twin(text.c_str(), pattern.c_str()));
    fitting += fits;
  }
  CHECK(fitting > 2000);
  CHECK_FALSE(fits_pattern(std::string(2000, 'a'), "*a*a*a*a*a*a*a*a*a*a*a*a*b"));  // at once
}

TEST_CASE("subnets: by value, by name, by both, in the model's order; what fits nothing says what there is") {
  const std::vector<models::Subnet> every = subnets_of("cifar", kViews), widths = subnets_of("cifar");
  REQUIRE(every.size() == 54);
  const auto chosen = [&](const SubnetChoice& choice, const std::vector<models::Subnet>& of) {
    return names(choose_subnets(of, choice, "the model; it runs with "));
  };
  const auto by_names = [](const std::string& patterns) { return SubnetChoice("", patterns); };
  CHECK(chosen({}, every) == names(every));
  CHECK(chosen({"all", "all"}, every) == names(every));
  CHECK(chosen(by_names("*"), every) == names(every));
  CHECK(chosen(by_names("heads5-px24-keep0.7"), every) == "heads5-px24-keep0.7");
  CHECK(chosen(by_names("heads8-*-keep1,heads3-px16-*"), every) ==
        "heads3-px16-keep0.5 heads3-px16-keep0.7 heads3-px16-keep1 heads8-px16-keep1 heads8-px24-keep1 heads8-px32-keep1");
  CHECK(chosen(by_names("heads?-px24-keep0.7"), every) == chosen(by_names("*24-keep0.7,*24-keep0.7"), every));
  CHECK(choose_subnets(every, "3-5", "").size() == 27);  // every view of a width
  CHECK(chosen({"3,8", "*-px32-keep1"}, every) == "heads3-px32-keep1 heads8-px32-keep1");
  CHECK(chosen(by_names("heads5"), widths) == "heads5");

  // A model whose first axis is another one.
  const std::vector<models::Subnet> super = subnets_of("supervit-nano");
  REQUIRE(super.at(0).axes.at(0).name == "px");
  CHECK(chosen({"24", "*-keep1"}, super) == "px24-keep1");
  CHECK(chosen(by_names("px32-*"), super) == "px32-keep0.5 px32-keep0.7 px32-keep1");
}

TEST_CASE("subnets: errors are one line that shows what there is") {
  const std::vector<models::Subnet> every = subnets_of("cifar", kViews);
  const auto refused = [&](const SubnetChoice& choice) {
    return error_of([&] { choose_subnets(every, choice, "the model; it runs with "); });
  };
  const std::string there_are = "; there are 54, heads3-px16-keep0.5 to heads8-px32-keep1";
  CHECK(refused({"", "heads9-*"}) == "--subnets: 'heads9-*' fits the name of no subnetwork" + there_are);
  CHECK(refused({"", "heads5"}) ==
        "--subnets: 'heads5' fits the name of no subnetwork" + there_are + "; heads5-* names all of its views");
  CHECK(refused({"", "*,heads5-px24-keep0.6"}) ==
        "--subnets: 'heads5-px24-keep0.6' fits the name of no subnetwork" + there_are + "; did you mean heads5-px24-keep0.5?");
  CHECK(refused({"", "*,"}) == "--subnets: '' fits the name of no subnetwork" + there_are);
  CHECK(refused({"3", "heads5-*"}) == "--heads 3 and --subnets heads5-*: no subnetwork is in both; leave out one of the two");
  CHECK(refused("9") == "--heads: 9 is outside the model; it runs with 3 to 8 heads");
  try {
    choose_names(every, "x");
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::usage);
  }
}

TEST_CASE("subnets: of a checkpoint, patterns choose among what it was trained for, --heads among all") {
  const std::vector<models::Subnet> every = subnets_of("cifar", kViews);
  const Header header = trained_for("3-5", "*-px32-*");
  CHECK(choose_trained(every, header, {}).size() == 9);
  CHECK(choose_trained(every, header, "all").size() == 9);
  CHECK(choose_trained(every, header, {"all", "all"}).size() == 9);
  CHECK(names(choose_trained(every, header, {"", "*-keep1"})) == "heads3-px32-keep1 heads4-px32-keep1 heads5-px32-keep1");
  CHECK(choose_trained(every, header, "8").size() == 9);
  CHECK(names(choose_trained(every, header, {"8", "*-px16-keep1"})) == "heads8-px16-keep1");
  CHECK(error_of([&] {
          choose_trained(every, header, {"", "*-px16-*"});
        }) == "--subnets: '*-px16-*' fits the name of no subnetwork; there are 9, heads3-px32-keep0.5 to heads5-px32-keep1");
  CHECK(choose_trained(every, Header{}, {}).size() == 54);  // of before there were such options
}

TEST_CASE("subnets: tables group several axes, mark the front, sort, and shorten a line of many") {
  const std::vector<models::Subnet> every = subnets_of("nano", {{"sizes", "16,32"}});  // 2 to 6 heads
  std::vector<Result> results;
  for (size_t i = 0; i < 10; ++i) {
    const double top1 = i == 4 ? 99 : 10 + static_cast<double>(i % 3);
    results.push_back({every.at(i), 1, static_cast<int64_t>(100 - i), 1, {{"top1", "top-1", top1}}, 5});
  }
  const std::string table = results_table(results, "model");
  CHECK(std::count(table.begin(), table.end(), '\n') == 1 + 10 + 4 + 1);  // head, rows, gaps, what the mark means
  CHECK(table.find("heads    px   dim") == 0);
  CHECK(table.find("\n\n    3    16 ") != std::string::npos);
  CHECK(table.find("99.00          5 *\n") != std::string::npos);
  CHECK(table.find("*: on the Pareto front: no row of as few MACs has a higher top-1, none of fewer as high a one\n") ==
        table.rfind("*: "));
  const std::string sorted = results_table(ordered(results, "macs"), "macs");
  CHECK(sorted.find("\n\n") == std::string::npos);
  CHECK(ordered(results, "macs")[0].subnet.id == 9);
  CHECK(ordered(results, "top1")[0].subnet.id == 4);
  CHECK(ordered(results, "top1")[1].subnet.id == 2);  // the first of equal ones
  CHECK(ordered(results, "name")[0].subnet.name == "heads2-px16");
  CHECK(results_json(results).text().find("\"front\":true") != std::string::npos);
  CHECK(score_line(results) == "top-1 of 10: best 99.0 (heads4-px16), mean 19.7, worst 10.0 (heads2-px16)");
  CHECK(subnet_table(results).find("\n\n    3    16 ") != std::string::npos);

  results.clear();
  for (const models::Subnet& one : subnets_of("nano")) results.push_back({one, 1, 1, 1, {{"top1", "top-1", 3}}, 5});
  const std::string plain = results_table(results, "model");
  CHECK(plain.find("\n\n") == std::string::npos);
  CHECK(plain.find('*') == std::string::npos);
  CHECK(score_line(results) == "top-1 3.0 3.0 3.0 3.0 3.0 (mean 3.0)");
}

TEST_CASE("program: what --subnets names is trained, stored, resumed and evaluated") {
  using namespace hv::program_fixtures;
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program program;
  const std::string more = "--sizes 16,32 --keep 0.5,1 --recipe joint --steps 2 --eval-limit 8 --report off ";
  check_refused(program(kTrain + more + "--subnets 'heads9*' --out r"), 2, "--subnets: 'heads9*' fits the name of no");
  check_refused(program(kTrain + more + "--eval-subnets heads9 --out r"), 2, "--eval-subnets: 'heads9' fits the name of no");
  check_refused(program("train --preset mlp --data data --subnets 'x*' --steps 1"), 2, "--subnets: preset mlp has none");
  const auto trained = program(kTrain + more + "--heads 2,6 --subnets '*-px16-*' --out r --stop-after 1");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(contains(trained.err, ", 4 subnetworks, 2 steps"));
  check_refused(program("train --resume r --subnets '*'"), 2,
                "--subnets: a run that is resumed keeps its subnets, *-px16-*; start a new one");
  const auto resumed = program("train --resume r --report off --threads 1");
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK(contains(resumed.out, "\n\n    6    16   0.5 "));
  CHECK(!contains(resumed.out, " 32   0.5 "));
  const auto some = program("eval r --subnets '*-keep1' --limit 8 --threads 1 --json");
  CHECK(contains(some.out, R"({"results":[{"heads":2,"px":16,"keep":1,)"));
  CHECK(contains(some.out, R"({"heads":6,"px":16,"keep":1,)"));
  CHECK(!contains(some.out, R"("keep":0.5)"));
  check_refused(program("eval r --subnets 'heads3-*'"), 2, "there are 4, heads2-px16-keep0.5 to heads6-px16-keep1");
}
