// What is shown of cut models and of searches: the table of layers, the charts and sections of the report, where a cut model
// looks. And that a step of nested budgets asks for no memory.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/slim_search.h"
#include "models/supervit.h"
#include "tests/error_of.h"
#include "tests/trainer_fixtures.h"
#include "train/step.h"
#include "train/structure/charts.h"
#include "train/structure/layers.h"

using namespace hv;
using namespace hv::test;
using namespace hv::train;
using models::Slim;
using models::SlimConfig;
using models::SlimSearch;
using models::SlimSearchConfig;

namespace {

// 2 blocks of 2 heads of 8, 16 patches.
SlimSearchConfig tiny() {
  SlimSearchConfig c;
  c.patch = 8;
  c.depth = 2;
  c.heads = 2;
  c.head_dim = 8;
  c.classes = 2;
  return c;
}

// Sizes that differ between heads, blocks and budgets; a token that leaves at once, one after a block.
SlimConfig tiny_cut() {
  SlimConfig c = SlimSearch(tiny()).uncut();
  c.set({0.5, 1}, {{{{2, 5}, {0, 3}}, {7, 20}}, {{{4, 8}, {3, 3}}, {16, 32}}});
  std::vector<int64_t> lives(17, 2);
  lives[3] = 0;
  lives[7] = 1;
  c.set_lives(lives);
  return c;
}

Tensor some_images(int64_t batch) {
  Stream random(1, Purpose::init);
  return Tensor::normal({batch, 3, 32, 32}, 0, 1, random);
}

void randomise(const nn::Module& model) {
  const NoGrad off;
  Stream random(2, Purpose::init);
  for (const nn::Parameter& p : model.parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.1, 0.3, random));
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("slim: the table and the JSON of layers need the configuration alone") {
  const models::Config config = to_config(tiny_cut());
  const std::vector<models::LayerSizes> layers = models::layer_sizes(config);
  CHECK(aligned(layer_table(layers), " ") ==
        " budget  block  dimensions of heads  of 16  hidden units, of 32  tokens, of 17\n"
        "    0.5      0                  2 5      7                    7             16\n"
        "    0.5      1                  0 3      3                   20             15\n"
        "      1      0                  4 8     12                   16             16\n"
        "      1      1                  3 3      6                   32             15\n");
  CHECK(layer_table({layers[1]})[0][0] == "block");
  const auto json = nlohmann::json::parse(layers_json(layers).text());
  CHECK(json[1]["budget"] == "1");
  CHECK(json[0]["parts"][1] == nlohmann::json{{"name", "hidden units"}, {"of", 32}, {"blocks", {7, 20}}});
  CHECK(json[0]["parts"][0]["pieces"][1] == "0 3");
  CHECK(models::layer_sizes(to_config(tiny())).empty());
  CHECK(layer_table({}).empty());

  const std::vector<Chart> by_part = kept_charts(layers), by_block = kept_charts({layers[0]});
  REQUIRE(by_part.size() == 3);
  CHECK(by_part[0].series[1].points[0].y == 75);
  CHECK(by_part[1].series.size() == 2);
  REQUIRE(by_block.size() == 1);
  CHECK(by_block[0].series[2].points[1].y == doctest::Approx(100 * 15 / 17.0));
  CHECK(has(svg(by_block[0]), ">1</text>"));
  CHECK(!has(svg(by_block[0]), ">0.5</text>"));  // there is no block 0.5
  CHECK(kept_charts({}).empty());
}

TEST_CASE("slim: a search ranks what its masks say, and masks that are no numbers are refused") {
  SlimSearchConfig c = tiny();
  c.masks = "attention,mlp";
  SlimSearch search(c);
  randomise(search);
  const std::vector<double> budgets = {0.5, 1};
  const models::Ranking ranking = models::kind_of(search.config()).ranking(search, budgets);
  REQUIRE(ranking.families.size() == 2);
  CHECK(ranking.families[0].values.size() == 32);
  CHECK(ranking.families[1].thresholds[0] == models::slim_threshold(models::flat(search.masks().hidden), 0.5));
  for (size_t f = 0; f < 2; ++f) {
    int64_t kept = 0;
    for (const int64_t size : ranking.kept[0].parts[f].sizes) kept += size;
    CHECK(2 * kept == std::ssize(ranking.families[f].values));
  }
  const std::vector<Chart> charts = ranking_charts(ranking, budgets);
  REQUIRE(charts.size() == 2);
  const std::vector<Point>& curve = charts[0].series[0].points;
  CHECK(charts[0].marks[0].x == 50);
  CHECK(curve[15].x == 50);  // the last that a budget of a half keeps is its threshold
  CHECK(curve[15].y == ranking.families[0].thresholds[0]);
  CHECK(curve.front().y > curve.back().y);

  const NoGrad off;
  search.parameter("blocks.0.mlp.zeta").fill_(std::numeric_limits<double>::quiet_NaN());
  CHECK(error_of([&] {
          models::kind_of(search.config()).ranking(search, budgets);
        }).starts_with("slim: a mask is nan, expected a finite number"));
}

TEST_CASE("slim: the rollout is that of the uncut model if nothing is cut; what left has no share in the rest") {
  const Tensor images = some_images(2);
  models::SuperViTConfig plain;
  static_cast<models::VitConfig&>(plain) = tiny();
  plain.heads = 2;
  plain.head_dim = 8;
  models::SuperViT uncut(plain, 0);
  const models::SlimPlan full = plan_cut(SlimSearch(tiny()).uncut(), 2, {}, {{}}, {1});
  Slim cut(tiny_cut());
  randomise(uncut);
  randomise(cut);
  uncut.eval();
  cut.eval();
  const auto whole = models::cut(full, uncut);
  whole->eval();
  const NoGrad off;
  const Tensor flow = uncut.rollout(images, uncut.subnets().back());
  CHECK(hv::max(abs(whole->rollout(images, whole->subnets()[0]) - flow)).item() < 1e-6);
  for (const models::Subnet& subnet : cut.subnets()) {
    const Tensor some = cut.rollout(images, subnet), alone = [&] {
      const auto model = cut.extract(subnet);
      model->eval();
      return model->rollout(images, model->subnets()[0]);
    }();
    CHECK(some.at({0, 0, 2}) == 0);  // token 3 leaves before the first block
    CHECK(some.at({1, 1, 2}) > 0);   // token 7 after it
    CHECK(hv::max(abs(sum(some, {1, 2}) - 1)).item() < 1e-5);
    CHECK(hv::max(abs(some - alone)).item() < 1e-6);
  }
  SlimConfig none = full.config;
  none.set({1}, {{{{0, 0}, {0, 0}}, {32, 32}}});
  Slim blind(none);
  CHECK(hv::max(abs(blind.rollout(images, blind.subnets()[0]))).item() == 0);  // nothing reaches the CLS token
}

TEST_CASE("slim: a step of two nested budgets with unequal heads asks for no memory and copies nothing") {
  const trainer_fixtures::Threads threads;
  SlimConfig c = tiny_cut();
  c.classes = 10;
  Slim model(c);
  TrainOptions options = trainer_fixtures::tiny_options();
  options.recipe = "sandwich";
  const data::Dataset& set = trainer_fixtures::images(data::Split::train);
  Stepper stepper(model, set, options, make_recipe(options, model, model.subnets()));
  int64_t step = 0;
  for (; step < 3; ++step) stepper.run(step, 1e-3);
  const MemoryStats before = memory_stats();
  for (; step < 9; ++step) stepper.run(step, 1e-3);
  CHECK(memory_stats().strided_copies == before.strided_copies);
#ifndef HV_ASAN  // with which every tensor is allocated by the system
  CHECK(memory_stats().chunks == before.chunks);
#endif
}
