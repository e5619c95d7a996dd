// The report of a model with several axes: its fronts, its few lines, and the patches that survive.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "models/kinds.h"
#include "tests/report_fixtures.h"
#include "train/report/charts.h"
#include "train/report/pictures.h"
#include "train/state/load.h"

using namespace hv;
using namespace hv::train;
using namespace hv::report_fixtures;

namespace {

// Two widths, two sizes, two rates: 8 subnetworks. Images of 32 pixels are 16 patches, and blocks 0 and 1 prune.
void two_axes(models::HydraViTConfig& config, TrainOptions& o) {
  config.heads = 2;
  config.depth = 3;
  config.sizes = "16,32";
  config.keep = "0.5,1";
  config.prune = "0,1";
  o.recipe = "joint";
  o.steps = 6;
}

// Subnetworks by the rows of the page's table that begin with their values of heads, px and keep; which are on the front.
std::set<std::string> marked(const std::vector<std::vector<std::string>>& table) {
  std::set<std::string> names;
  for (const auto& row : table) {
    if (row.back() == "yes") names.insert(concat("heads", row[0], "-px", row[1], "-keep", row[2]));
  }
  return names;
}

}  // namespace

TEST_CASE("report: of several axes it draws fronts, a few lines, and the patches that survive") {
  const TinyRun run(two_axes);
  const std::string page = run.report({"", {}, "", {0, 23}});
  CHECK(unbalanced(page) == "");
  CHECK(count(page, "<h2 ") == 10);
  CHECK(page.find("2 heads, 16 px, 0.5 keep") != std::string::npos);  // the smaller size of those that drop most
  for (const char* text : {"8 subnetworks", "Which patches survive", "The best within a budget",
                           "only those that differ in heads alone", "Labels: heads/px/keep", "on the front"}) {
    CAPTURE(text);
    CHECK(page.find(text) != std::string::npos);
  }
  for (const char* file : {"accuracy-macs.svg", "accuracy-speed.svg", "draws.svg", "draws-2.svg", "draws-3.svg", "loss.svg",
                           "test-accuracy.svg", "twice.svg"}) {
    CAPTURE(file);
    CHECK(unbalanced(read_text(run.folder + "/report/" + file)) == "");
  }
  CHECK(!fs::exists(run.folder + "/report/accuracy-parameters.svg"));  // tokens cost no parameters

  Runs runs;
  runs.push_back(read_run(run.folder));
  const RunData& data = runs[0];
  REQUIRE(data.widths.size() == 8);
  CHECK(test_chart(runs).series.size() == 2);  // the full view of each width
  CHECK(loss_chart(runs).series.size() == 3);  // and all steps
  const Draws draws = *draws_chart(data);
  REQUIRE(draws.bars.size() == 3);
  for (const Bars& bars : draws.bars) {
    REQUIRE(bars.bars.size() == 2);
    CHECK(bars.bars[0].value + bars.bars[1].value == 6);
    CHECK(bars.bars[0].expected + bars.bars[1].expected == doctest::Approx(6));
  }
  const Twice twice = looking_twice(data, false);
  CHECK(twice.stages() >= 2);
  CHECK(twice.stages() <= 8);

  // The table: by width, then by MACs, with exactly the front marked.
  const std::vector<std::vector<std::string>> table = accuracy_table(runs);
  REQUIRE(table.size() == 9);
  for (size_t i = 2; i < table.size(); ++i) {
    CHECK((i == 5) == (table[i][0] != table[i - 1][0]));
    if (i != 5) CHECK(std::stoll(table[i][5]) > std::stoll(table[i - 1][5]));
  }
  const Contest contest = fronts_of(runs, Cost::macs).contest;
  std::set<std::string> members;
  for (const size_t i : pareto_front(contest.priced)) members.insert(contest.subnets[i].name);
  CHECK(marked(table) == members);

  const std::string against = run.report({"", {run.folder}, run.dir / "both.html", {0}});
  CHECK(unbalanced(against) == "");
  CHECK(against.find("Against ") != std::string::npos);

  Table& summary = *runs[0].summary;  // as if the first evaluation had left one width out
  const auto at = std::find(summary.names.begin(), summary.names.end(), "top1_heads1-px32-keep1");
  REQUIRE(at != summary.names.end());
  summary.columns[static_cast<size_t>(at - summary.names.begin())].front() = std::nan("");
  REQUIRE(test_chart(runs).series.size() == 1);
  CHECK(test_chart(runs).series[0].name == "2 heads");
}

TEST_CASE("report: dropped patches are dark, all others as they were") {
  const TinyRun run(two_axes);
  const RunData data = read_run(run.folder);
  const std::vector<models::Subnet> strongest = strongest_pruning(data);
  REQUIRE(strongest.size() == 2);
  CHECK(strongest[0].name == "heads2-px32-keep0.5");
  CHECK(strongest[1].name == "heads2-px16-keep0.5");
  const std::vector<models::Cost> costs = models::costs(data.header->model);
  RunImages images(data);
  for (const models::Subnet& subnet : strongest) {
    const models::Cost& cost = costs.at(static_cast<size_t>(subnet.id));
    const std::vector<Tile> tiles = images.survivors(23, subnet);  // a bright image of one colour
    REQUIRE(tiles.size() == cost.tokens.size());
    const auto& whole = tiles[0].image.chw;
    REQUIRE(whole[0] > 100);
    for (size_t stage = 0; stage < tiles.size(); ++stage) {
      const auto& pixels = tiles[stage].image.chw;
      const auto same = std::count(pixels.begin(), pixels.end(), whole[0]);
      const double left = static_cast<double>(same) / static_cast<double>(pixels.size());
      CHECK(left == doctest::Approx(static_cast<double>(cost.tokens[stage] - 1) / static_cast<double>(cost.tokens[0] - 1)));
    }
  }
  const TinyRun plain;
  CHECK(strongest_pruning(read_run(plain.folder)).empty());
}
