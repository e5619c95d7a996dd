// ThinkingViT: looks, extraction, costs, gradients of what a stage takes up from the one before, training and resuming, wrong
// usage.
#include <doctest/doctest.h>

#include <algorithm>

#include "models/hydravit.h"
#include "models/thinking.h"
#include "tests/error_of.h"
#include "tests/golden.h"
#include "tests/program.h"
#include "tests/trainer_fixtures.h"
#include "train/recipes/thinking.h"
#include "train/start/model_choice.h"

using namespace hv;
using namespace hv::test;
using models::Look;
using models::Subnet;
using models::Thinking;
using models::ThinkingConfig;

namespace {

ThinkingConfig small() {
  ThinkingConfig c;
  c.patch = 8;
  c.depth = 2;
  c.head_dim = 8;
  c.stages = {1, 2, 4};
  return c;
}

// alpha begins at 0; a model that has learned has others.
void set_alphas(const Thinking& model) {
  const NoGrad off;
  for (size_t s = 1; s < model.subnets().size(); ++s)
    model.parameter(concat("alpha.", s - 1)).copy_(Tensor::full({1}, 0.5 + 0.2 * static_cast<double>(s)));
}

Tensor pictures(int64_t count) {
  Stream stream(3, Purpose::test);
  return Tensor::normal({count, 3, 32, 32}, 0, 1, stream);
}

}  // namespace

TEST_CASE("thinking: each stage is the extracted model, uses what it counts, and leaves the rest without a gradient") {
  Thinking model(small(), 5);
  set_alphas(model);
  const Tensor images = pictures(2), targets = Tensor::full({2, 10}, 0.1);
  const std::vector<models::Cost> costs = models::costs(model.config());
  REQUIRE(costs.size() == 3);
  CHECK(model.params(model.subnets().back()) == model.parameter_count());
  Look look;
  for (const Subnet& stage : model.subnets()) {
    CAPTURE(stage.name);
    model.zero_grad();
    const Tensor logits = model.forward(images, stage);
    look = model.look(images, stage, look);
    CHECK(relative(look.logits, logits) < 1e-5);
    const auto alone = model.extract(stage);
    CHECK(alone->subnets().size() == static_cast<size_t>(stage.id + 1));
    CHECK(relative(alone->forward(images, alone->subnets().back()), logits) < 1e-5);
    CHECK(alone->parameter_count() == model.params(stage));
    CHECK(alone->macs(alone->subnets().back()) == model.macs(stage));
    const models::Cost& cost = costs[static_cast<size_t>(stage.id)];
    CHECK(cost.subnet.name == stage.name);
    CHECK(cost.params == model.params(stage));
    CHECK(cost.macs == model.macs(stage));

    cross_entropy(logits, targets).backward();
    int64_t used = 0;
    const std::vector<Tensor> parts = model.active(stage);
    const std::vector<nn::Parameter> whole = model.parameters();
    for (size_t i = 0; i < parts.size(); ++i) {
      used += parts[i].defined() ? parts[i].numel() : 0;
      if (!whole[i].value.grad().defined()) continue;
      const auto squares = [](const Tensor& x) { return sum(x * x).item(); };
      const Tensor inside = parts[i].defined() ? parts[i].grad() : Tensor::zeros({1});
      CHECK_MESSAGE(squares(whole[i].value.grad()) == doctest::Approx(squares(inside)), whole[i].name);
    }
    CHECK(used == model.params(stage));
  }
  CHECK_FALSE(look.memory.defined());
  CHECK(model.rollout(images, model.subnets()[1]).shape() == Shape{2, 4, 4});

  // A single stage is the plain ViT: HydraViT of one width, from the same seed.
  const auto first = model.extract(model.subnets()[0]);
  models::HydraViTConfig plain;
  static_cast<models::VitConfig&>(plain) = small();
  plain.head_dim = 8;
  plain.heads = plain.heads_min = 1;
  models::HydraViT vit(plain, 0);
  models::copy_part(first->active(first->subnets()[0]), vit);
  CHECK(vit.forward(images, 1).to_vector() == first->forward(images, first->subnets()[0]).to_vector());
  CHECK(models::mac_count(plain, 1) == model.macs(model.subnets()[0]));
}

TEST_CASE("thinking: the paper's shapes cost what its two ViTs cost, and the map between them") {
  const std::vector<models::Cost> costs = models::costs(models::named_model("thinking-deit", 1000)),
                                  vits = models::costs(models::named_model("deit", 1000));  // 3 to 12 heads
  CHECK(costs[0].macs == vits[0].macs);
  CHECK(costs[1].macs == vits[0].macs + vits[3].macs + 197 * 192 * 384);
  CHECK(costs[1].params == vits[3].params + 384 * 193 + 1);
}

TEST_CASE("thinking: alpha and the map have the gradients that central differences show; alpha = 0 stops the map's") {
  ThinkingConfig c = small();
  Thinking model(c, 5);
  const Tensor images = pictures(2), targets = Tensor::full({2, 10}, 0.1);
  const auto loss = [&] {  // of all looks, as the recipe has it
    Look look;
    Tensor sum;
    for (const Subnet& stage : model.subnets()) {
      look = model.look(images, stage, look);
      const Tensor own = cross_entropy(look.logits, targets);
      sum = sum.defined() ? sum + own : own;
    }
    return sum;
  };
  const auto names = {"alpha.0", "proj_layer.weight", "proj_layer.bias", "alpha.1", "proj_layer2.weight", "proj_layer2.bias"};
  {
    const NoGrad off;  // larger weights: a clear gradient
    for (const nn::Parameter& p : model.parameters()) {
      if (p.name.find("weight") != std::string::npos && p.value.rank() > 1) p.value.copy_(p.value * 8.0);
    }
  }
  loss().backward();
  for (const std::string name : names) {
    double largest = 0;
    for (const double slope : model.parameter(name).grad().to_vector()) largest = std::max(largest, std::abs(slope));
    CHECK_MESSAGE((largest > 0) == (name.rfind("alpha", 0) == 0), name);
  }
  set_alphas(model);
  model.zero_grad();
  loss().backward();
  for (const std::string name : names) {
    const Tensor parameter = model.parameter(name), before = parameter.detach().clone();
    // Along the gradient itself, the slope is its length.
    const Tensor gradient = parameter.grad().clone();
    const double length = std::sqrt(sum(gradient * gradient).item()), h = 0.02 / length;
    const NoGrad off;
    const auto moved = [&](double by) {
      parameter.copy_(before + gradient * (by / length));
      return loss().item();
    };
    const double step = std::min(0.02, h), slope = (moved(step) - moved(-step)) / (2 * step);
    parameter.copy_(before);
    CHECK_MESSAGE(slope == doctest::Approx(length).epsilon(0.01), name);
  }
}

TEST_CASE("thinking: a run learns every stage in each step, logs each, and resumes in the same bits") {
  using namespace trainer_fixtures;
  const Threads threads;
  ThinkingConfig c = small();
  c.dropout = c.drop_path = 0.1;
  TrainOptions options = tiny_options();
  options.preset = "thinking-nano";
  options.steps = 8;
  const models::Config config = models::to_config(c);
  Run whole(options, "", false, {}, config);
  whole.trainer.run();
  const Folder folder;
  options.log_interval = 1;
  for (const int64_t stop_after : {3, 0}) {
    options.stop_after = stop_after;
    set_num_threads(stop_after == 0 ? 3 : 1);
    Run run(options, folder.path(), false, {}, config);
    if (stop_after == 0) run.trainer.restore(load_checkpoint(folder / "last.ckpt"));
    run.trainer.run();
    CHECK(run.trainer.header().options.at("recipe") == "thinking");
    if (stop_after == 0) CHECK(run.state() == whole.state());
  }
  int64_t steps = 0;
  for (const std::string& line : lines(folder / "events.jsonl")) {
    if (line.find("\"event\":\"log\"") == std::string::npos) continue;
    ++steps;
    CHECK(line.find("{\"heads\":1,\"drawn\":1,\"loss\":2") != std::string::npos);
    CHECK(line.find("{\"heads\":4,\"drawn\":1,\"loss\":2") != std::string::npos);
  }
  CHECK(steps == 8);

  // A loss that is not finite is found, whichever stage has it.
  Thinking model(c, 0);
  {
    const NoGrad off;
    model.parameter("alpha.1").copy_(Tensor::full({1}, NAN));
  }
  Stepper stepper(model, images(data::Split::train), options, make_recipe(options, model, model.subnets()));
  CHECK(error_of([&] { stepper.run(0, 1e-3); }) ==
        "the loss is not a number: weight alpha.1 is not a number at element 0 of [1]");
}

TEST_CASE("thinking: what is wrong is told in one line") {
  models::Config config = models::named_model("thinking-nano", 10);
  for (const char* stages : {"", "3,", "0,3", "3,3", "6,3", "-1", "3;6", "3,257", "3,99999999999999999999", "3 6", ","}) {
    config["stages"] = stages;
    CHECK(error_of([&] { models::costs(config); }) ==
          concat("model: stages: '", stages, "' is no list of heads; expected rising numbers from 1 to 256, as 3,6 or 2,4,6"));
  }
  config["stages"] = "3";
  config["stages"] = "256";
  config["head_dim"] = "1024";
  CHECK(error_of([&] { models::costs(config); }).find("model: too large: ") == 0);
  config["image"] = "4096";
  config["patch"] = "1";
  config["depth"] = "256";
  CHECK(error_of([&] { models::costs(config); }) == "model: too many tokens: 16777217, at most 4097");
  Thinking model(small(), 0);
  const auto look = [&](const Tensor& memory) {
    return error_of([&] { model.look(pictures(2), model.subnets()[1], {{}, memory}); });
  };
  CHECK(look({}) == "thinking: stage 1 goes on from tokens [2, 17, 8], found none: run the stage before it first");
  CHECK(look(Tensor::zeros({3, 17, 8})) == "thinking: stage 1 goes on from tokens [2, 17, 8], found [3, 17, 8]");
  models::HydraViT other(models::preset("nano"), 0);
  CHECK(error_of([&] { train::ThinkingRecipe(other, other.subnets(), 0); }).find("--recipe thinking: for models that look ") ==
        0);

  // The recipe that suits the model, unless the user names one.
  train::TrainOptions o;
  CHECK(train::recipe_of(o) == "hydravit");
  o.preset = "scala-nano";
  CHECK(train::recipe_of(o) == "scala");
  o.preset = "thinking-nano";
  CHECK(train::recipe_of(o) == "thinking");
  CHECK(train::model_config(o, 10).at("stages") == "3,6");
  const train::Fields fields = train::train_fields(o);
  train::find_field(fields, "stages")->set("1,2,4");
  CHECK(train::model_config(o, 10).at("stages") == "1,2,4");
  // Three classifiers need three stages: options are checked together, in whatever order they are set.
  train::find_field(fields, "classifiers")->set("bands:3");
  CHECK(train::model_config(o, 10).at("classifiers") == "bands:3");
  train::find_field(fields, "stages")->set("3,6");
  CHECK(error_of([&] {
          train::check_model(o);
        }).rfind("--classifiers: expected shared, own or bands:N with N from 1 to 2", 0) == 0);
  train::find_field(fields, "classifiers")->set("shared");
  train::find_field(fields, "stages")->set("4,2");
  CHECK(error_of([&] { train::check_model(o); }) ==
        "--stages: '4,2' is no list of heads; expected rising numbers from 1 to 256, as 3,6 or 2,4,6");
  if (!program_fixtures::Program::binary()) return;
  const program_fixtures::Program program;
  const std::string train = "train --data data --steps 1 --batch-size 16 --threads 1 --report off --eval-limit 10 --preset ";
  check_refused(program(train + "nano --recipe thinking"), 2, "--recipe thinking: for models that look several times");
  check_refused(program(train + "nano --stages 2,4"), 2, "--stages: preset nano has none");
  check_refused(program(train + "thinking-nano --weights 1,1"), 2,
                "--weights: belongs to --recipe hydravit, this run's is thinking");
  CHECK(program(train + "thinking-nano --stages 1,2,3 --recipe hydravit --out r").code == 0);
  const std::string json = program_fixtures::slurp(program / "r/config.json");
  CHECK(program_fixtures::contains(json, "\"recipe\": \"hydravit\""));
  CHECK(program_fixtures::contains(json, "\"stages\": \"1,2,3\""));
}
