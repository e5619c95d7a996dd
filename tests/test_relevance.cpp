// Which patches speak for a label: maps and logits under a probe, relevance against a twin in plain loops, what stays.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "models/hydravit.h"
#include "models/kinds.h"
#include "models/relevance.h"
#include "nn/probe.h"
#include "tests/error_of.h"
#include "tests/golden.h"
#include "tests/relevance_twin.h"
#include "tests/trainer_fixtures.h"

using namespace hv;
using test::relative;
using test::Twin;

namespace {

void fill(const nn::Module& model) {
  const NoGrad off;
  Stream stream(7, Purpose::test);
  for (const nn::Parameter& p : model.parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.1, 0.4, stream));
}

Tensor some_images(int64_t side, int64_t count = 2) {
  Stream stream(5, Purpose::test);
  return Tensor::normal({count, 3, side, side}, 0, 1, stream);
}

// Tiny models of 9 patches. Names of entries as in checkpoints.
models::Config tiny(const std::string& preset, const models::Config& more = {}) {
  models::Config config = models::named_model(preset, 3);
  const models::Config small = {{"image", "12"},    {"patch", "4"},     {"depth", "2"},    {"heads", "2"},
                                {"heads_min", "1"}, {"head_dim", "4"},  {"width", "8"},    {"mlp_ratio", "2"},
                                {"sizes", ""},      {"keep", "0.5,1"},  {"prune", "0"},    {"grid", "2"},
                                {"smallest", "1"},  {"scale_dim", "3"}, {"stem", "patch"}, {"stages", "1,2"}};
  for (const auto& [name, value] : small) {
    if (config.contains(name)) config[name] = value;
  }
  for (const char* name : {"keep", "prune"}) config[name] = small.at(name);
  for (const auto& [name, value] : more) config[name] = value;
  return config;
}

Twin twin_of(const models::ElasticModel& alone, bool stacked, int64_t first, double multiplier, bool mean_of_patches,
             size_t label) {
  Twin twin{{}, 0, 2, 3, 4, first, stacked, mean_of_patches, multiplier, 0.5, label};
  for (const nn::Parameter& p : alone.parameters()) twin.w[p.name] = p.value.to_vector();
  twin.width = std::ssize(twin.w.at("norm.weight"));
  const models::Config config = alone.config();
  if (config.contains("head_dim")) twin.heads = twin.width / std::stoll(config.at("head_dim"));
  if (config.contains("eps")) twin.eps = std::stod(config.at("eps"));
  return twin;
}

const models::Subnet& named(const models::ElasticModel& model, const std::string& end) {
  for (const models::Subnet& subnet : model.subnets()) {
    if (subnet.name.ends_with(end)) return subnet;
  }
  return model.subnets().at(9999);
}

}  // namespace

TEST_CASE("probe: maps are those of attention, picks those of the block, whatever the layout of heads") {
  const trainer_fixtures::Threads one;
  for (const nn::Heads& heads : {nn::Heads{.size = 4}, nn::Heads{.count = 2, .multiplier = 0.3}}) {
    nn::Init init("trunc_normal", 1);
    nn::Block block({.width = 12, .heads = heads, .hidden = 12, .elastic = nn::Elastic::both}, init);
    fill(block);
    block.eval();
    Stream stream(3, Purpose::test);
    const Tensor x = Tensor::normal({2, 7, 8}, 0, 1, stream);  // a part of the width
    std::vector<int64_t> picked;
    const Tensor plain = block.prune(x, 1, 3, &picked);
    const nn::Probe outer;
    {
      const nn::Probe probe;
      CHECK(relative(block.prune(nn::probe_begin(x, 1), 1, 3), plain) < 1e-5);
      REQUIRE(probe.steps().size() == 2);
      CHECK(relative(probe.steps()[0].map, block.attention(x)) < 1e-6);
      CHECK(probe.steps()[1].picked == picked);
      CHECK((probe.steps()[1].left == 4 && probe.tokens() == 7 && probe.first_tokens() == 1));
      nn::probe_begin(x, 1);
      CHECK(probe.steps().empty());
    }
    CHECK(outer.steps().empty());
  }
}

TEST_CASE(
    "relevance: a twin in plain loops finds the same, for stacked and shrinking heads, CLS, DIST, means, dropped tokens") {
  const trainer_fixtures::Threads one;
  const Tensor images = some_images(12, 1);
  const auto check = [&](const models::Config& config, bool stacked, int64_t first, double multiplier, bool mean) {
    const auto model = models::make_model(config, 1);
    fill(*model);
    const models::Subnet& wide = named(*model, "keep0.5");  // the first of its kind: the narrowest
    for (const models::Subnet* subnet : {&wide, &model->subnets()[model->subnets().size() - 2]}) {
      const auto alone = model->extract(*subnet);
      for (const int64_t label : {0, 2}) {
        CAPTURE(subnet->name);
        CAPTURE(label);
        Twin twin = twin_of(*alone, stacked, first, multiplier, mean, static_cast<size_t>(label));
        const std::vector<double> found = models::relevance(*model, images, *subnet, label).to_vector();
        const std::vector<double> expected = twin.relevance(images.to_vector());
        REQUIRE(found.size() == 9);
        double sum = 0;
        for (size_t i = 0; i < 9; ++i) {
          CHECK(std::abs(found[i] - expected[i]) < 1e-4);
          sum += found[i];
        }
        CHECK(sum == doctest::Approx(1));
      }
    }
  };
  check(tiny("nano"), true, 1, 0.5, false);
  check(tiny("scala-nano"), false, 2, 1 / std::sqrt(3.0), false);
  check(tiny("branches-nano", {{"branches", "off"}, {"feature", "mean"}}), true, 1, 0.5, true);
}

TEST_CASE("relevance: labels differ, results have the same bits on any threads, and the model stays as it was") {
  const std::vector<std::string> presets = {"branches-nano", "branches-scala-nano", "branches-supervit-nano",
                                            "branches-thinking-nano"};
  for (const std::string& preset : presets) {
    CAPTURE(preset);
    models::Config config = models::named_model(preset, 3);
    config["depth"] = "2";
    config["image"] = "32";
    if (config.contains("sizes")) config["sizes"] = "16,32";
    config["feature"] = preset == "branches-scala-nano" ? "mean" : "cls";
    const auto model = models::make_model(config, 1);
    fill(*model);
    const Tensor images = some_images(32);
    const models::Subnet& subnet = model->subnets()[model->subnets().size() / 2];
    model->train();
    std::vector<std::vector<double>> found;
    const trainer_fixtures::Threads one;
    for (const int threads : preset == presets[0] ? std::vector<int>{1, 2, 3} : std::vector<int>{1}) {
      const trainer_fixtures::Threads some(threads);
      found.push_back(models::relevance(*model, images, subnet, 0).to_vector());
      CHECK(found.back() == found[0]);
    }
    CHECK(models::relevance(*model, images, subnet, 1).to_vector() != found[0]);
    const size_t half = found[0].size() / 2;  // each image has shares of its own
    for (const size_t from : {size_t{0}, half}) {
      double sum = 0;
      for (size_t i = from; i < from + half; ++i) sum += found[0][i];
      CHECK(sum == doctest::Approx(1));
    }
    CHECK(model->training());
    for (const nn::Parameter& p : model->parameters()) CHECK((p.value.requires_grad() && !p.value.grad().defined()));
    model->eval();
    const Tensor plain = model->forward(images, subnet);
    const nn::Probe probe;
    CHECK(relative(model->forward(images, subnet), plain) < 1e-5);
    CHECK(probe.steps().size() >= 2);
  }
  const auto mlp = models::make_model(models::named_model("mlp", 10), 1);
  CHECK(!models::relevance(*mlp, some_images(32), mlp->subnets()[0], 0).defined());
  CHECK(test::error_of([&] { models::relevance(*mlp, some_images(32), mlp->subnets()[0], 10); }) ==
        "relevance: label 10 is not in 0 to 9");
  const NoGrad off;
  CHECK(test::error_of([&] { models::relevance(*mlp, some_images(32), mlp->subnets()[0], 0); }) ==
        "relevance: needs gradients, which are off here (NoGrad)");
}
