// A training of many subnetworks evaluates a few of them before its end: which, what is logged, what best.ckpt means.
#include <doctest/doctest.h>

#include <cmath>

#include "models/kinds.h"
#include "tests/error_of.h"
#include "tests/trainer_fixtures.h"
#include "train/choice/few.h"
#include "train/runs/run_data.h"
#include "train/subnets.h"

using namespace hv;
using namespace hv::train;
using namespace hv::trainer_fixtures;
using hv::test::error_of;

namespace {

std::vector<models::Subnet> subnets_of(models::Config config, const models::Config& changes) {
  for (const auto& [name, value] : changes) config[name] = value;
  std::vector<models::Subnet> all;
  for (const models::Cost& cost : models::costs(config)) all.push_back(cost.subnet);
  return all;
}

std::string names(const std::vector<models::Subnet>& subnets) {
  std::string text;
  for (const models::Subnet& subnet : subnets) text += (text.empty() ? "" : " ") + subnet.name;
  return text;
}

const models::Config kViews = {{"sizes", "16,32"}, {"keep", "0.5,1"}};
constexpr const char* kFewOfTiny = "heads1-px32-keep1 heads2-px32-keep1 heads3-px16-keep0.5 heads3-px32-keep1";

models::Config many() {  // 3 widths of 4 views
  models::Config config = tiny_model();
  for (const auto& [name, value] : kViews) config[name] = value;
  return config;
}

}  // namespace

TEST_CASE("evaluating few: the full view of every width, and the cheapest of the widest; up to eight all") {
  const auto few = [](const std::string& preset, const models::Config& changes, const std::string& patterns = "") {
    return names(few_subnets(subnets_of(models::named_model(preset, 10), changes), patterns));
  };
  CHECK(few("nano", {}) == "heads2 heads3 heads4 heads5 heads6");
  CHECK(few("nano", {{"heads_min", "3"}, {"sizes", "16,32"}}).find("heads3-px16 heads3-px32 heads4-px16") == 0);  // all 8
  CHECK(names(few_subnets(subnets_of(many(), {}))) == kFewOfTiny);
  CHECK(few("cifar", {{"sizes", "16,24,32"}, {"keep", "0.5,0.7,1"}}) ==
        "heads3-px32-keep1 heads4-px32-keep1 heads5-px32-keep1 heads6-px32-keep1 heads7-px32-keep1 heads8-px16-keep0.5 "
        "heads8-px32-keep1");
  // More widths than there is room for: evenly spread, with the narrowest and the widest.
  CHECK(few("deit", {}) == "heads3 heads4 heads6 heads7 heads8 heads9 heads11 heads12");
  CHECK(few("deit", {{"keep", "0.5,1"}}) ==
        "heads3-keep1 heads5-keep1 heads6-keep1 heads8-keep1 heads9-keep1 heads11-keep1 heads12-keep0.5 heads12-keep1");
  // One width alone; a model without widths.
  CHECK(names(few_subnets(choose_subnets(
            subnets_of(models::named_model("cifar", 10), {{"sizes", "8,16,24,32"}, {"keep", "0.5,0.7,1"}}), "8", ""))) ==
        "heads8-px8-keep0.5 heads8-px32-keep1");
  CHECK(few("supervit-nano", {}) == "px16-keep1 px24-keep1 px32-keep0.5 px32-keep1");

  CHECK(few("nano", {}, "all") == "heads2 heads3 heads4 heads5 heads6");
  CHECK(error_of([&] { few("nano", {}, "heads7"); }) ==
        "--eval-subnets: 'heads7' fits the name of no subnetwork; there are 5, heads2 to heads6; did you mean heads2?");
}

TEST_CASE("evaluating few: between some, at the end all; cells of the others stay empty; best.ckpt is the best for the few") {
  const Threads one;
  const Folder folder, cut;
  TrainOptions o = tiny_options();
  o.steps = 12;  // two epochs
  o.recipe = "joint";
  o.eval_limit = 20;
  const models::Config config = many();
  Run whole(o, folder.path(), true, {}, config);
  REQUIRE(whole.trainer.run() == Ending::finished);
  CHECK(whole.trainer.results().size() == 12);

  const Table table = read_table(folder / "summary.csv");
  REQUIRE(table.rows() == 3);  // after an epoch, at the end as then, at the end of all
  double best = 0;
  for (const models::Subnet& subnet : whole.model->subnets()) {
    const bool is_few = std::string(kFewOfTiny).find(subnet.name) != std::string::npos;
    for (const char* metric : {"top1_", "ema_top1_", "loss_", "ema_loss_"}) {
      const std::vector<double>* column = table.find(metric + subnet.name);
      REQUIRE(column != nullptr);
      for (size_t row = 0; row < 3; ++row) CHECK(std::isfinite((*column)[row]) == (is_few || row == 2));
    }
  }
  for (size_t row = 0; row < 2; ++row) {
    for (const std::string weights : {"top1_", "ema_top1_"}) {
      double mean = 0;
      for (const models::Subnet& one_of : few_subnets(whole.model->subnets())) {
        mean += (*table.find(weights + one_of.name))[row] / 4;
      }
      best = std::max(best, mean);
    }
  }
  const Header header = read_header(folder / "last.ckpt");
  CHECK(header.metrics.at("best_top1") == doctest::Approx(best));
  CHECK(header.metrics.contains("top1.heads=1,px=16,keep=1"));  // of the last evaluation, of all
  CHECK(read_header(folder / "best.ckpt").metrics.contains("top1.heads=3,px=16,keep=0.5"));
  CHECK_FALSE(read_header(folder / "best.ckpt").metrics.contains("top1.heads=1,px=16,keep=1"));
  CHECK(lines(folder / "predictions.csv").at(0).find("predicted_heads1-px16-keep0.5") != std::string::npos);

  // Stopped after the first evaluation and gone on with: the same files.
  TrainOptions first = o;
  first.stop_after = 7;
  CHECK(Run(first, cut.path(), true, {}, config).trainer.run() == Ending::stopped);
  const RunData between = read_run(cut.path());
  CHECK(std::isfinite(between.last("top1", whole.model->subnets().back())));
  CHECK(std::isnan(between.last("top1", whole.model->subnets().front())));
  Run rest(o, cut.path(), true, {}, config);
  rest.trainer.restore(load_checkpoint(cut / "last.ckpt"));
  CHECK(rest.trainer.run() == Ending::finished);
  CHECK(rest.state() == whole.state());
  const Table same = read_table(cut / "summary.csv");
  REQUIRE(same.names == table.names);
  for (size_t c = 0; c < table.names.size(); ++c) {
    if (table.names[c] == "seconds") continue;
    for (size_t r = 0; r < table.rows(); ++r) {
      const double a = table.columns[c][r], b = same.columns[c][r];
      CHECK((a == b || (std::isnan(a) && std::isnan(b))));
    }
  }
  CHECK(std::isfinite(read_run(cut.path()).last("top1", whole.model->subnets().front())));
}

TEST_CASE("evaluating few: --eval-subnets says which, and with all images at once the last evaluation is of all") {
  const Threads one;
  const Folder folder;
  TrainOptions o = tiny_options();
  o.steps = 12;
  o.recipe = "joint";
  o.ema = 0;
  o.eval_limit = 0;
  o.eval_subnets = "heads1-*-keep1";
  Run run(o, folder.path(), true, {}, many());
  REQUIRE(run.trainer.run() == Ending::finished);
  const Table table = read_table(folder / "summary.csv");
  REQUIRE(table.rows() == 2);
  CHECK(std::isfinite(table.find("top1_heads1-px16-keep1")->at(0)));
  CHECK(std::isnan(table.find("top1_heads3-px32-keep1")->at(0)));
  CHECK(std::isfinite(table.find("top1_heads3-px32-keep1")->at(1)));
  double best = 0;
  for (size_t row = 0; row < 2; ++row) {
    best = std::max(best, (table.find("top1_heads1-px16-keep1")->at(row) + table.find("top1_heads1-px32-keep1")->at(row)) / 2);
  }
  CHECK(read_header(folder / "last.ckpt").metrics.at("best_top1") == doctest::Approx(best));
}
