// Scala with sizes and rates of tokens: every view against its extracted model, first tokens that always stay, and a model
// without views that is what it was.
#include <doctest/doctest.h>

#include "models/scala.h"
#include "tests/error_of.h"
#include "tests/golden.h"
#include "tests/trainer_fixtures.h"

using namespace hv;
using test::error_of;
using test::relative;

namespace {

models::ScalaConfig tiny(bool distilled) {
  models::ScalaConfig c;
  c.image = 16;
  c.depth = 3;
  c.width = 32;
  c.heads = 2;
  c.scale_dim = 16;
  c.grid = 4;
  c.smallest = 1;
  c.classes = 3;
  c.distilled = distilled;
  return c;
}

models::ScalaConfig with_views(models::ScalaConfig c, const char* positions) {
  c.sizes = "8,16";
  c.keep = "0.5,1";
  c.prune = "0,1";
  c.positions = positions;
  return c;
}

// No zeros and ones: they would hide a wrong place.
void fill(const nn::Module& model) {
  const NoGrad off;
  Stream stream(7, Purpose::test);
  for (const nn::Parameter& p : model.parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.1, 0.4, stream));
}

Tensor some_images(int64_t size) {
  Stream stream(5, Purpose::test);
  return Tensor::normal({3, 3, size, size}, 0, 1, stream);
}

}  // namespace

TEST_CASE("scala views: every ratio, size and rate is its extracted model, and costs what that holds") {
  const trainer_fixtures::Threads one;
  const NoGrad off;
  for (const bool distilled : {false, true}) {
    for (const char* positions : {"tables", "resized"}) {
      models::Scala model(with_views(tiny(distilled), positions), 1);
      fill(model);
      const Tensor images = some_images(16);
      REQUIRE(model.subnets().size() == 16);
      CHECK(model.subnets()[0].name == "ratio0.25-px8-keep0.5");
      CHECK(model.subnets()[15].name == "ratio1-px16-keep1");
      const std::vector<models::Cost> costs = models::costs(model.config());
      for (const models::Subnet& subnet : model.subnets()) {
        CAPTURE(subnet.name);
        const auto alone = model.extract(subnet);
        REQUIRE(alone->subnets().size() == 1);
        const std::vector<Tensor> ours = model.outputs(images, subnet), own = alone->outputs(images, alone->subnets()[0]);
        for (size_t i = 0; i < ours.size(); ++i) CHECK(relative(own.at(i), ours[i]) < 1e-6);
        const models::Cost& cost = costs.at(static_cast<size_t>(subnet.id));
        const bool smaller = std::string(positions) == "resized" && subnet.id % 4 < 2;  // reads 12 positions more than it needs
        CHECK(alone->parameter_count() == cost.params - (smaller ? 12 * models::width_of(subnet) : 0));
        CHECK(alone->macs(alone->subnets()[0]) == cost.macs);
        CHECK(!model.rollout(images, subnet).defined());

        // At half the tokens, 18 of them (CLS, DIST) become 2 + 9, then 2 + 6 (ceil(11 / 2)); without DIST 17: 1 + 9, 1 + 5.
        const std::vector<Tensor> left = model.survivors(images, subnet);
        const bool prunes = subnet.id % 2 == 0, large = subnet.id % 4 >= 2;
        REQUIRE(left.size() == (prunes ? 2 : 0));
        if (!prunes || !large) continue;
        CHECK(left[0].shape() == Shape{3, 4, 4});
        CHECK(sum(left[0]).item() == 3 * 9);
        CHECK(sum(left[1]).item() == 3 * (distilled ? 6 : 5));
        CHECK(model.hidden(images, subnet).back().size(1) == (distilled ? 8 : 6));
      }
      int64_t numbers = 0;
      for (const nn::Parameter& p : model.parameters()) numbers += p.value.numel();
      CHECK(models::all_params(costs) == numbers);
    }
  }
}

TEST_CASE("scala views: a rate that keeps all patches only sorts them; CLS and DIST stay where they are") {
  const trainer_fixtures::Threads one;
  const NoGrad off;
  models::ScalaConfig c = tiny(true);
  c.keep = "0.99,1";
  c.prune = "0,1";
  models::Scala model(c, 1);
  fill(model);
  for (size_t k = 0; k + 1 < model.subnets().size(); k += 2) {
    const std::vector<Tensor> sorted = model.outputs(some_images(16), model.subnets()[k]);
    const std::vector<Tensor> whole = model.outputs(some_images(16), model.subnets()[k + 1]);
    for (size_t i = 0; i < 2; ++i) CHECK(relative(sorted[i], whole[i]) < 1e-5);
  }
}

TEST_CASE("scala views: without them a model is what it was, and wrong ones are one line") {
  const models::Config before = models::to_config(tiny(true));
  for (const char* entry : {"sizes", "keep", "prune", "positions"}) CHECK(before.count(entry) == 0);
  const models::Scala plain(tiny(true), 3);
  CHECK(plain.subnets()[1].name == "ratio0.5");
  models::ScalaConfig rates = tiny(true);
  rates.keep = "0.5,1";
  const models::Scala pruned(rates, 3);  // the same weights, drawn in the same order
  const std::vector<nn::Parameter> a = plain.parameters(), b = pruned.parameters();
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].name == b[i].name);
    CHECK(a[i].value.to_vector() == b[i].value.to_vector());
  }
  const auto error = [](const char* entry, const char* value) {
    models::Config config = models::to_config(tiny(true));
    config[entry] = value;
    return error_of([&] { models::costs(config); });
  };
  CHECK(error("sizes", "8,14") == "model: sizes: the patch must divide the image: 4 and 14");
  CHECK(error("keep", "0,1").find("model: keep: a rate of 0 keeps no tokens") == 0);
  CHECK(error("prune", "3").find("model: prune: '3' is no list of blocks; expected rising numbers from 0 to 2") == 0);
  CHECK(error("positions", "one").find("model: positions: expected tables or resized") == 0);
}
