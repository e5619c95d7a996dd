// The recipes of the axes of tokens, supervit and joint: what a step draws and how often, who learns from whom, that a run
// resumes in the same bits, and that a steady step asks for no memory and copies nothing.
#include <doctest/doctest.h>

#include <map>

#include "models/supervit.h"
#include "tests/error_of.h"
#include "tests/program.h"
#include "tests/trainer_fixtures.h"
#include "train/recipes/joint.h"
#include "train/recipes/supervit.h"

using namespace hv;
using namespace hv::train;
using namespace hv::trainer_fixtures;
using models::Subnet;
using test::error_of;

namespace {

models::Config two_axes(const std::string& positions = "tables") {
  models::Config config = tiny_model();
  config["sizes"] = "16,24,32";
  config["keep"] = "0.5,0.75,1";
  config["prune"] = "0,1";
  if (positions != "tables") config["positions"] = positions;
  return config;
}

models::Config super_config() {
  models::SuperViTConfig c;
  c.patch = 8;
  c.depth = 3;
  c.heads = 2;
  c.head_dim = 8;
  c.sizes = "16,24,32";
  c.keep = "0.5,0.75,1";
  return models::to_config(c);
}

// How often each subnetwork runs in `steps` steps, against what the recipe says.
void check_shares(const Recipe& recipe, const std::vector<Subnet>& all, int64_t steps) {
  std::map<int64_t, double> ran;
  for (int64_t step = 0; step < steps; ++step) {
    for (const Subnet& net : recipe.trains(step)) ran[net.id] += 1 / static_cast<double>(steps);
  }
  for (const Subnet& net : all) {
    CHECK(recipe.share(net) > 0);
    CHECK_MESSAGE(ran[net.id] == doctest::Approx(recipe.share(net)).epsilon(0.15), net.name);
  }
}

double axis(const Subnet& net, const std::string& name) { return net.on(name).value_or(-1); }

}  // namespace

TEST_CASE("supervit: four passes, the largest size first, all tokens before fewer, as often as `share` says") {
  const auto model = models::make_model(super_config(), 1);
  const SuperViTRecipe recipe(*model, model->subnets(), 0, 7);
  for (int64_t step = 0; step < 50; ++step) {
    const std::vector<Subnet> nets = recipe.trains(step);
    REQUIRE(nets.size() == 4);
    CHECK(nets[0].name == "px32-keep1");
    CHECK(axis(nets[1], "px") == 32);
    CHECK(axis(nets[2], "px") < 32);
    CHECK(axis(nets[3], "px") == axis(nets[2], "px"));
    for (const size_t i : {1, 3}) {
      CHECK(axis(nets[i - 1], "keep") == 1);
      CHECK(axis(nets[i], "keep") < 1);
    }
  }
  check_shares(recipe, model->subnets(), 3000);
  // A model of several widths: all four have the width that is drawn.
  const auto wide = models::make_model(two_axes(), 1);
  const SuperViTRecipe widths(*wide, wide->subnets(), 0, 7);
  for (int64_t step = 0; step < 50; ++step) {
    for (const Subnet& net : widths.trains(step)) CHECK(axis(net, "heads") == axis(widths.trains(step)[0], "heads"));
  }
  check_shares(widths, wide->subnets(), 6000);
}

TEST_CASE("joint: one of 27 per step, and with a teacher all tokens of the same width and size before it") {
  const auto model = models::make_model(two_axes(), 1);
  REQUIRE(model->subnets().size() == 27);
  check_shares(JointRecipe(*model, model->subnets(), {}, 0, 7), model->subnets(), 9000);
  const JointRecipe alone(*model, model->subnets(), {}, 0, 7);
  const HydraViTRecipe hydravit(*model, model->subnets(), WidthSampler(7, 27), 0);
  for (int64_t step = 0; step < 20; ++step) CHECK(alone.trains(step)[0].id == hydravit.trains(step)[0].id);
  const JointRecipe taught(*model, model->subnets(), {.token_teacher = true}, 0, 7);
  check_shares(taught, model->subnets(), 9000);
  for (int64_t step = 0; step < 50; ++step) {
    const std::vector<Subnet> nets = taught.trains(step);
    if (nets.size() == 1) {
      CHECK(axis(nets[0], "keep") == 1);
      continue;
    }
    REQUIRE(nets.size() == 2);
    CHECK(axis(nets[0], "keep") == 1);
    CHECK(axis(nets[1], "keep") < 1);
    for (const char* same : {"heads", "px"}) CHECK(axis(nets[0], same) == axis(nets[1], same));
  }
}

TEST_CASE("view recipes: all tokens learn labels, fewer learn from them; the teacher takes no gradient") {
  const Threads threads;
  const auto model = models::make_model(two_axes(), 1);
  model->eval();
  data::Batch batch;
  Stream stream(2, Purpose::test);
  batch.images = Tensor::normal({4, 3, 32, 32}, 0, 1, stream);
  batch.targets = Tensor::zeros({4, 10});
  for (int64_t i = 0; i < 4; ++i) batch.targets.mutable_data()[i * 10 + i] = 1;
  const JointRecipe recipe(*model, model->subnets(), {.token_teacher = true, .token_labels = 0.5}, 0.1, 7);
  int64_t step = 0;
  while (recipe.trains(step).size() < 2) ++step;
  const std::vector<Subnet> nets = recipe.trains(step);
  const Tensor full = model->forward(batch.images, nets[0]).detach(), few = model->forward(batch.images, nets[1]).detach();
  std::vector<double> losses;
  const_cast<JointRecipe&>(recipe).passes(batch, step, [&](const Subnet& net, const Tensor& loss) {
    CHECK(net.id == nets.at(losses.size()).id);
    losses.push_back(loss.item());
    loss.backward();
  });
  const auto kl = [](const Tensor& p, const Tensor& q) {
    return sum(softmax(p) * (log_softmax(p) - log_softmax(q))).item() / static_cast<double>(p.size(0));
  };
  REQUIRE(losses.size() == 2);
  CHECK(losses[0] == doctest::Approx(cross_entropy(full, batch.targets, 0.1).item()));
  CHECK(losses[1] == doctest::Approx(0.5 * cross_entropy(few, batch.targets, 0.1).item() + kl(full, few)));
}

TEST_CASE("view recipes: resumed after any number of steps, on other threads, a run leaves the same bits") {
  const Threads threads;
  struct Case {
    models::Config config;
    const char *preset, *recipe;
    bool active_only;
  };
  for (const auto& [config, preset, recipe, active_only] :
       {Case{super_config(), "supervit-nano", "supervit", false}, Case{two_axes("resized"), "nano", "joint", false},
        Case{two_axes(), "nano", "joint", true}}) {
    TrainOptions options = tiny_options();
    options.preset = preset;
    options.recipe = recipe;
    options.steps = 6;
    options.active_only = active_only;
    Run whole(options, "", false, {}, config);
    whole.trainer.run();
    const Folder folder;
    for (int64_t step = 0; step < 6; ++step) {
      TrainOptions one = options;
      one.stop_after = 1;
      set_num_threads(step % 2 == 0 ? 1 : 3);
      Run run(one, folder.path(), false, {}, config);
      if (step > 0) run.trainer.restore(load_checkpoint(folder / "last.ckpt"));
      run.trainer.run();
      if (step == 5) CHECK(run.state() == whole.state());
    }
  }
}

TEST_CASE("view recipes: a table of positions changes only in steps that use its size") {
  const Threads threads;
  const auto model = models::make_model(super_config(), 1);
  TrainOptions options = tiny_options();
  options.preset = "supervit-nano";
  Stepper stepper(*model, images(data::Split::train), options, make_recipe(options, *model, model->subnets()));
  const std::vector<double> sizes = {16, 24, 32};
  for (int64_t step = 0; step < 8; ++step) {
    std::vector<std::vector<double>> before;
    for (size_t i = 0; i < 3; ++i) before.push_back(model->parameter(concat("pos_embed_list.", i)).to_vector());
    stepper.run(step, 1e-3);
    for (size_t i = 0; i < 3; ++i) {
      bool used = false;
      for (const Subnet& net : stepper.recipe().trains(step)) used = used || axis(net, "px") == sizes[i];
      CHECK((model->parameter(concat("pos_embed_list.", i)).to_vector() != before[i]) == used);
    }
  }
}

TEST_CASE("view recipes: a steady step asks for no memory and copies no layout, whatever it draws") {
  const Threads threads;
  for (const char* positions : {"tables", "resized"}) {
    const auto model = models::make_model(two_axes(positions), 5);
    TrainOptions options = tiny_options();
    options.recipe = "joint";
    options.own<JointOptions>().token_teacher = true;
    Stepper stepper(*model, images(data::Split::train), options, make_recipe(options, *model, model->subnets()));
    for (int64_t step = 0; step < 60; ++step) stepper.run(step, 1e-3);
    const MemoryStats before = memory_stats();
    for (int64_t step = 60; step < 90; ++step) stepper.run(step, 1e-3);
    CHECK(memory_stats().strided_copies == before.strided_copies);
#ifndef HV_ASAN  // with which every tensor is allocated by the system
    CHECK(memory_stats().chunks == before.chunks);
#endif
  }
}

TEST_CASE("view recipes: options of the program, and what it refuses") {
  const auto plain = models::make_model(tiny_model(), 1);
  CHECK(error_of([&] {
          SuperViTRecipe(*plain, plain->subnets(), 0, 0);
        }).starts_with("--recipe supervit: for models of several --sizes or rates to --keep"));
  TrainOptions o;
  o.preset = "supervit-nano";
  CHECK(recipe_of(o) == "supervit");
  if (!program_fixtures::Program::binary()) return;
  const program_fixtures::Program program;
  const std::string train = "train --data data --steps 1 --batch-size 16 --threads 1 --report off --eval-limit 10 --preset ";
  using program_fixtures::check_refused;
  check_refused(program(train + "nano --recipe supervit"), 2, "--recipe supervit: for models of several --sizes");
  check_refused(program(train + "nano --sizes 16,30"), 2, "--sizes: the patch must divide the image: 4 and 30");
  check_refused(program(train + "nano --sizes 16,32 --keep 0,1"), 2, "--keep: a rate of 0 keeps no tokens");
  check_refused(program(train + "nano --sizes 16,32 --keep 0.5,1 --prune 4"), 2, "--prune: '4' is no list of blocks");
  check_refused(program(train + "mlp --sizes 16,32"), 2, "--sizes: preset mlp has none");
  check_refused(program(train + "nano --positions x"), 2, "--positions");
  CHECK(program(train + "nano --sizes 16,32 --keep 0.5,1 --recipe joint --out r").code == 0);
}
