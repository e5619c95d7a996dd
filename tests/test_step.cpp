// One step of training: several passes with one graph in memory, the parts that an update touches, the hook for several
// machines.
#include <doctest/doctest.h>

#include "core/autograd.h"
#include "models/scala.h"
#include "tests/trainer_fixtures.h"
#include "train/bench/recipe_step.h"
#include "train/recipes/hydravit.h"

using namespace hv;
using namespace hv::train;
using namespace hv::trainer_fixtures;

namespace {

// The widest subnetwork, `passes` times on one batch.
struct Passes : Recipe {
  Passes(models::ElasticModel& m, int64_t n) : model(m), passes_per_step(n) {}
  std::vector<models::Subnet> trains(int64_t) const override { return {model.subnets().back()}; }
  double share(const models::Subnet&) const override { return 1; }
  void passes(const data::Batch& batch, int64_t, const Learn& learn) override {
    for (int64_t i = 0; i < passes_per_step; ++i) {
      const Tensor logits = model.forward(batch.images, model.subnets().back());
      nodes = std::max(nodes, live_nodes());
      learn(model.subnets().back(), cross_entropy(logits, batch.targets));
    }
  }
  models::ElasticModel& model;
  int64_t passes_per_step, nodes = 0;
};

struct Measured {
  int64_t nodes, peak;
};
Measured measure(int64_t passes) {
  const auto model = models::make_model(tiny_model(), 5);
  const auto recipe = new Passes(*model, passes);
  Stepper stepper(*model, images(data::Split::train), tiny_options(), std::unique_ptr<Recipe>(recipe));
  stepper.run(0, 1e-3);  // gradients and scratch memory are there
  reset_peak_memory();
  const int64_t before = memory_stats().live_bytes;
  stepper.run(1, 1e-3);
  return {recipe->nodes, memory_stats().peak_bytes - before};
}

}  // namespace

TEST_CASE("step: four passes need the graph and the memory of one") {
  const Threads threads;
  const Measured one = measure(1), four = measure(4);
  CHECK(one.nodes > 10);
  CHECK(four.nodes == one.nodes);
  CHECK(one.peak > 0);
  CHECK(four.peak <= one.peak + one.peak / 20);
}

TEST_CASE("step: losses of several passes are reported by subnetwork, and their mean as that of the step") {
  const Threads threads;
  struct Both : Passes {
    using Passes::Passes;
    void passes(const data::Batch& batch, int64_t, const Learn& learn) override {
      for (const models::Subnet& subnet : model.subnets()) {
        learn(subnet, cross_entropy(model.forward(batch.images, subnet), batch.targets) * static_cast<double>(subnet.id + 1));
      }
    }
  };
  const auto model = models::make_model(tiny_model(), 5);
  TrainOptions options = tiny_options();
  options.grad_accum = 2;
  Stepper stepper(*model, images(data::Split::train), options, std::make_unique<Both>(*model, 1));
  const StepLoss loss = stepper.run(0, 1e-3);
  REQUIRE(loss.passes.size() == 3);
  double sum = 0;
  for (size_t i = 0; i < 3; ++i) {
    CHECK(loss.passes[i].subnet.id == static_cast<int64_t>(i));
    CHECK(loss.passes[i].loss == doctest::Approx(2.3 * static_cast<double>(i + 1)).epsilon(0.05));  // log 10 = 2.3
    sum += loss.passes[i].loss;
  }
  CHECK(loss.mean == doctest::Approx(sum / 3));
}

TEST_CASE("step: what several machines exchange is seen after the last backward pass and used by the update") {
  const Threads threads;
  TrainOptions options = tiny_options();
  options.clip_grad = 0;
  const auto weights = [&](bool exchanged) {
    const auto model = models::make_model(tiny_model(), 5);
    Stepper stepper(*model, images(data::Split::train), options, make_recipe(options, *model, model->subnets()));
    int64_t calls = 0;
    if (exchanged) {
      stepper.set_exchange([&](const std::vector<nn::Parameter>& parameters, const std::vector<models::Subnet>& trained) {
        ++calls;
        CHECK(trained.size() == 1);
        const NoGrad off;
        for (const nn::Parameter& p : parameters) p.value.grad().fill_(0);
      });
    }
    const std::vector<double> before = model->parameters()[0].value.to_vector();
    options.weight_decay = 0;
    stepper.run(0, 1e-3);
    CHECK(calls == (exchanged ? 1 : 0));
    return before == model->parameters()[0].value.to_vector();
  };
  CHECK(weights(true));  // gradients of 0 leave a parameter without decay as it was
  CHECK_FALSE(weights(false));
}

TEST_CASE("optimiser: parts of several subnetworks are updated together, each element once, nested or not") {
  const auto change = [](const Live& live, const Tensor& weight) {
    const std::vector<nn::Parameter> parameters = {{"w", weight, {}, false}};
    OptimizerConfig config;
    config.kind = "sgd";
    config.momentum = 0;
    const auto optimizer = make_optimizer(parameters, config);
    sum(weight).backward();
    optimizer->step(1, 1, {}, 0, live);
    return weight.detach().to_vector();
  };
  for (const bool nested : {true, false}) {
    const Tensor weight = Tensor::zeros({6, 8}).requires_grad_();
    const Tensor first = weight.slice(0, 0, 3).slice(1, 0, 4),
                 second = nested ? weight.slice(0, 0, 2).slice(1, 0, 3) : weight.slice(0, 2, 6).slice(1, 3, 8);
    const std::vector<double> after = change({{first}, {second}}, weight);
    for (int64_t i = 0; i < 6; ++i) {
      for (int64_t j = 0; j < 8; ++j) {
        const bool inside = (i < 3 && j < 4) || (!nested && i >= 2 && j >= 3);
        CHECK(after[static_cast<size_t>(8 * i + j)] == (inside ? -1 : 0));
      }
    }
  }
}

// Head sizes 4, 6, .., 16 and trailing parts: where a copy or a workspace of its own would be most likely.
TEST_CASE("step: four passes of the sandwich, once each net has run, ask for no memory, copy nothing and fit into one pass") {
  const Threads threads;
  models::ScalaConfig config;
  config.patch = 8;
  config.depth = 2;
  config.width = 64;
  config.heads = 4;
  config.scale_dim = 16;
  config.grid = 8;
  config.smallest = 2;
  models::Scala model(config, 5);
  TrainOptions options = tiny_options();
  options.recipe = "scala";
  Stepper stepper(model, images(data::Split::train), options, make_recipe(options, model, model.subnets()));
  const data::Dataset& set = images(data::Split::train);
  data::LoaderConfig loading;
  loading.batch_size = options.batch_size;
  data::Loader loader(set, loading);
  const auto bytes = [&](const auto& work) {
    reset_peak_memory();
    const int64_t before = memory_stats().live_bytes;
    work();
    return memory_stats().peak_bytes - before;
  };
  int64_t step = 0, alone = 0, whole = 0;
  for (const models::Subnet& net : model.subnets()) pass_alone(model, net, loader.at(0, 0));
  for (; step < 3; ++step) stepper.run(step, 1e-3);
  const MemoryStats before = memory_stats();
  for (; step < 15; ++step) whole = std::max(whole, bytes([&] { stepper.run(step, 1e-3); }));
  CHECK(memory_stats().strided_copies == before.strided_copies);
#ifndef HV_ASAN  // with which every tensor is allocated by the system
  CHECK(memory_stats().chunks == before.chunks);
#endif
  for (const models::Subnet& net : model.subnets())
    alone = std::max(alone, bytes([&] { pass_alone(model, net, loader.at(0, 0)); }));
  CHECK(alone > 0);
  CHECK(whole <= alone + alone / 10);
}
