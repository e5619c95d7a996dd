// The training loop end to end, on a model small enough to train in a moment: exact resume, determinism, endings, steady state.
#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>

#include "core/kernels/bf16.h"
#include "tests/trainer_fixtures.h"
#include "tests/worse.h"
#include "train/io/interrupt.h"

using namespace hv;
using namespace hv::train;
using namespace hv::trainer_fixtures;

TEST_CASE("trainer: resumed at any step, on any number of threads, a run ends in the same bits") {
  const Threads threads;
  std::vector<double> losses;
  Run whole(tiny_options(), "", false, [&](int64_t, double loss) { losses.push_back(loss); });
  REQUIRE(whole.trainer.run() == Ending::finished);
  REQUIRE(losses.size() == 30);
  const std::vector<double> expected = whole.state();

  const Folder folder;
  std::vector<double> found;
  TrainOptions options = tiny_options();
  const auto go_on = [&](int64_t stop_after) {  // one session: a new model, a new trainer, the checkpoint
    options.stop_after = stop_after;
    Run run(options, folder.path(), false, [&](int64_t, double loss) { found.push_back(loss); });
    if (file_exists(folder / "last.ckpt")) run.trainer.restore(load_checkpoint(folder / "last.ckpt"));
    const Ending ending = run.trainer.run();
    CHECK(ending == (run.trainer.step() == 30 ? Ending::finished : Ending::stopped));
    return run.state();
  };
  SUBCASE("30 sessions of one step") {
    for (int64_t step = 0; step < 29; ++step) {
      set_num_threads(1 + static_cast<int>(step % 4));
      go_on(1);
    }
    CHECK(go_on(0) == expected);
  }
  SUBCASE("two sessions, in the middle of an epoch and at its end") {
    for (const int64_t first : {3, 12, 29}) {
      fs::remove(folder / "last.ckpt");
      found.clear();
      set_num_threads(1);
      go_on(first);
      set_num_threads(3);
      CHECK(go_on(0) == expected);
      CHECK(found == losses);
    }
  }
}

TEST_CASE("trainer: the same weights for 1, 2, 3 and 4 threads, and again") {
  const Threads threads;
  std::vector<std::vector<double>> found;  // of float32, of bf16
  models::Config wide = tiny_model();
  wide["head_dim"] = "16";  // wide enough for attention in bf16
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    if (precision == Precision::bf16 && bf16_unit() == Bf16Unit::none) continue;
    std::vector<double> first;
    for (const int n : {1, 2, 3, 4, 2}) {
      set_num_threads(n);
      set_precision(precision);
      TrainOptions options = tiny_options();
      options.steps = 8;
      Run run(options, "", false, {}, wide);
      run.trainer.run();
      set_precision(Precision::fp32);
      if (first.empty()) first = run.state();
      CHECK(run.state() == first);
    }
    found.push_back(first);
  }
  if (found.size() == 2) CHECK(found[0] != found[1]);
  TrainOptions other = tiny_options();
  other.steps = 8;
  other.seed = 6;
  Run run(other, "", false, {}, wide);
  run.trainer.run();
  CHECK(run.state() != found[0]);
}

TEST_CASE("trainer: a signal ends it after the step, with a checkpoint that goes on exactly") {
  const Threads threads;
  Run whole(tiny_options());
  whole.trainer.run();
  for (const int signal : {SIGINT, SIGTERM}) {
    const Folder folder;
    Run first(tiny_options(), folder.path(), false, [&](int64_t step, double) {
      if (step == 4) raise(signal);
    });
    CHECK(first.trainer.run() == Ending::interrupted);
    CHECK(interrupted() == signal);
    CHECK(read_header(folder / "last.ckpt").counters.at("step") == 4);
    Run second(tiny_options(), folder.path());
    second.trainer.restore(load_checkpoint(folder / "last.ckpt"));
    CHECK(second.trainer.run() == Ending::finished);
    CHECK(second.state() == whole.state());
  }
}

TEST_CASE("trainer: a loss that is not finite names its step and keeps the last good checkpoint") {
  const Threads threads;
  const Folder folder;
  TrainOptions options = tiny_options();
  options.save_every = 1;
  int64_t at = 0;
  Run run(options, folder.path(), false, [&](int64_t step, double) {
    if (step == 6) run.model->parameters()[0].value.detach().fill_(std::nan(""));
    at = step;
  });
  std::string text;
  try {
    run.trainer.run();
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::diverged);
    text = error.what();
  }
  CHECK(at == 6);
  CHECK(text.find("the last good checkpoint is " + (folder / "last.ckpt") + " (step 5)") != std::string::npos);
  const Checkpoint kept = load_checkpoint(folder / "last.ckpt");
  CHECK(kept.header.counters.at("step") == 5);
  for (const NamedTensor& tensor : kept.tensors) {
    for (const double value : tensor.value.to_vector()) REQUIRE(std::isfinite(value));
  }

  TrainOptions wild = tiny_options();
  wild.optimizer = "sgd";
  wild.lr = 1e9;
  wild.clip_grad = 0;
  wild.warmup_steps = 0;
  Run second(wild);
  CHECK_THROWS_WITH_AS(second.trainer.run(), doctest::Contains(" is not a number: "),
                       Error);  // loss or gradient, whichever comes first
}

namespace {

// Plants a bad value: in the batch's images, or in a gradient while the loss stays finite (sqrt(0) has an infinite slope).
struct Planted : HydraViTRecipe {
  Planted(models::ElasticModel& model, std::string what, int64_t step)
      : HydraViTRecipe(model, model.subnets(), WidthSampler(5, 3), 0.1), what_(std::move(what)), step_(step) {}
  void passes(const data::Batch& batch, int64_t step, const Learn& learn) override {
    if (what_ == "constant") batch.images.fill_(0.5);
    if (what_ == "image" && (step == step_ || step_ < 0)) batch.images.select(0, 3).fill_(std::nan(""));
    HydraViTRecipe::passes(batch, step, [&](const models::Subnet& subnet, const Tensor& loss) {
      if (what_ != "gradient" || step != step_) return learn(subnet, loss);
      learn(subnet, loss + sum(sqrt(model_.parameters()[2].value * 0.0)));
    });
  }
  std::string what_;
  int64_t step_;
};

}  // namespace

TEST_CASE("trainer: a bad image or gradient is named in its step, before it reaches a weight") {
  const Threads threads;
  TrainOptions options = tiny_options();
  options.clip_grad = 0;  // nothing else needs the gradient's norm
  for (const std::string what : {"image", "gradient", "constant"}) {
    CAPTURE(what);
    Run run(options);
    Stepper stepper(*run.model, images(data::Split::train), options, std::make_unique<Planted>(*run.model, what, 4));
    for (int64_t step = 0; step < 4; ++step) CHECK(std::isfinite(stepper.run(step, 1e-3).mean));
    if (what == "constant") continue;
    const std::vector<double> before = run.state();
    const std::string name = run.model->parameters()[2].name;
    const std::string expected = what == "image"
                                     ? "the loss is not a number: input images is not a number at element 9216 of [16, 3, "
                                     : concat("gradient of ", name, " is not a number at element 0 of ");
    CHECK_THROWS_WITH_AS(stepper.run(4, 1e-3), doctest::Contains(expected.c_str()), Error);
    CHECK(run.state() == before);
  }
}

TEST_CASE("trainer: --on-nan skips a bad step or rolls back, a few times in a row, and a resumed run does the same") {
  const Threads threads;
  for (const std::string policy : {"skip", "rollback"}) {
    CAPTURE(policy);
    TrainOptions options = tiny_options();
    options.steps = 12;
    options.save_every = 5;
    options.eval_every = 0;
    options.on_nan = policy;
    int64_t bad = 7;  // counted from 0
    const auto recipe = [&](models::ElasticModel& model) { return std::make_unique<Planted>(model, "image", bad); };
    const Folder folder, other;
    std::vector<double> at_five, at_seven, at_eight;
    Run* watched = nullptr;
    Run whole(
        options, folder.path(), false,
        [&](int64_t step, double loss) {
          CHECK(std::isnan(loss) == (step == 8));
          if (step == 5) at_five = watched->state();
          if (step == 7) at_seven = watched->state();
          if (step == 8) at_eight = watched->state();
        },
        tiny_model(), recipe);
    watched = &whole;
    CHECK(whole.trainer.run() == Ending::finished);
    CHECK(at_eight == (policy == "skip" ? at_seven : at_five));

    for (int64_t step = 0; step < 12; step += 5) {  // sessions that end where a save is due
      options.stop_after = step < 10 ? 5 : 0;
      Run part(options, other.path(), false, {}, tiny_model(), recipe);
      if (step > 0) part.trainer.restore(load_checkpoint(other / "last.ckpt"));
      part.trainer.run();
      if (step == 10) CHECK(part.state() == whole.state());
    }

    options.stop_after = 0;
    bad = -1;  // every image
    Run hopeless(options, folder.path(), false, {}, tiny_model(), recipe);
    hopeless.trainer.restore(load_checkpoint(folder / "last.ckpt"));
    CHECK(hopeless.trainer.run() == Ending::finished);  // all steps were done
    options.steps = 40;
    Run again(options, folder.path(), false, {}, tiny_model(), recipe);
    again.trainer.restore(load_checkpoint(folder / "last.ckpt"));
    CHECK_THROWS_WITH_AS(again.trainer.run(), doctest::Contains(", as the 10 steps before; the last good checkpoint is "),
                         Error);
  }
  TrainOptions nowhere = tiny_options();
  nowhere.on_nan = "rollback";
  Run run(nowhere, "", false, {}, tiny_model(),
          [](models::ElasticModel& model) { return std::make_unique<Planted>(model, "image", 2); });
  CHECK_THROWS_WITH_AS(run.trainer.run(), doctest::Contains("no saved state to roll back to"), Error);
}

TEST_CASE("trainer: a run that goes on drops the predictions of its earlier end") {
  const Threads threads;
  const Folder folder;
  TrainOptions options = tiny_options();
  options.steps = 3;
  Run first(options, folder.path(), true);
  first.trainer.run();
  CHECK(fs::exists(folder / "predictions.csv"));
  options.steps = 6;
  options.stop_after = 1;
  Run second(options, folder.path(), true);
  second.trainer.restore(load_checkpoint(folder / "last.ckpt"));
  CHECK(second.trainer.run() == Ending::stopped);
  CHECK(!fs::exists(folder / "predictions.csv"));
}

TEST_CASE("trainer: run folder with summary and best; a resumed run repeats no row") {
  const Threads threads;
  const Folder folder;
  TrainOptions options = tiny_options();
  options.eval_limit = 30;
  options.stop_after = 17;
  Run first(options, folder.path(), true);
  CHECK(first.trainer.run() == Ending::stopped);
  CHECK(lines(folder / "summary.csv").size() == 3);  // head, epochs 1 and 2
  options.stop_after = 0;
  Run second(options, folder.path(), true);
  second.trainer.restore(load_checkpoint(folder / "last.ckpt"));
  CHECK(second.trainer.run() == Ending::finished);
  const std::vector<std::string> rows = lines(folder / "summary.csv");
  REQUIRE(rows.size() == 7);  // 4 epochs before the end, the end on 30 and on all 50 test images
  CHECK(rows[0] ==
        "step,images,epoch,seconds,lr,train_loss,top1_heads1,top1_heads2,top1_heads3,loss_heads1,loss_heads2,loss_heads3,"
        "ema_top1_heads1,ema_top1_heads2,ema_top1_heads3,ema_loss_heads1,ema_loss_heads2,ema_loss_heads3");
  CHECK(rows[1].find("6,30,1.0000,") == 0);
  CHECK(rows[3].find("18,30,3.0000,") == 0);
  CHECK(rows[6].find("30,50,5.0000,") == 0);
  for (const char* name : {"last.ckpt", "prev.ckpt", "best.ckpt"}) CHECK_NOTHROW(load_checkpoint(folder / name));
  const Header header = read_header(folder / "last.ckpt");
  CHECK(header.metrics.count("top1.heads=2") == 1);
  CHECK(header.metrics.count("ema_top1.heads=3") == 1);
  CHECK(header.class_names == data::shapes10_classes());
  CHECK(second.trainer.results().size() == 3);
  CHECK(second.trainer.results()[0].images == 50);
  Run third(options, folder.path(), true);  // finished already: evaluates again, no new row
  third.trainer.restore(load_checkpoint(folder / "last.ckpt"));
  CHECK(third.trainer.run() == Ending::finished);
  CHECK(lines(folder / "summary.csv").size() == 7);
  CHECK(third.state() == second.state());
}

TEST_CASE("trainer: a time limit ends the run and its schedule") {
  const Threads threads;
  TrainOptions options = tiny_options();
  options.steps = 0;
  options.minutes = 0.5 / 60;
  Run run(options);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(run.trainer.run() == Ending::finished);
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(500));
  CHECK(run.trainer.step() > 1);
  CHECK(run.trainer.total_steps() == 0);
}

TEST_CASE("trainer: passes added up are one large batch") {
  const Threads threads;
  models::HydraViTConfig config = models::from_config(tiny_model());
  config.drop_path = config.dropout = 0;
  TrainOptions options = tiny_options();
  options.augment = "none";
  options.optimizer = "sgd";
  options.steps = 3;
  options.ema = 0;
  Run large(options, "", false, {}, models::to_config(config));
  large.trainer.run();
  options.batch_size = 4;
  options.grad_accum = 4;
  Run added(options, "", false, {}, models::to_config(config));
  added.trainer.run();
  const std::vector<double> expected = large.state(), found = added.state();
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) worst = test::worse(worst, std::abs(expected[i] - found[i]));
  CHECK(worst < 1e-5);
  CHECK(worst > 0);  // not the same run twice
}

TEST_CASE("trainer: once every width has run, a step asks the system for no memory and copies no layout") {
  const Threads threads;
  TrainOptions options = tiny_options();
  options.steps = 60;
  MemoryStats warm;
  Run run(options, "", false, [&](int64_t step, double) {
    if (step == 20) warm = memory_stats();
  });
  run.trainer.run();
#ifndef HV_ASAN  // with which every tensor is allocated by the system
  CHECK(memory_stats().chunks == warm.chunks);
#endif
  CHECK(memory_stats().strided_copies == warm.strided_copies);
  CHECK(memory_stats().live_bytes <= warm.live_bytes + (1 << 20));  // nothing piles up
}

TEST_CASE("trainer: shapes10 is learned: at least 50 % of unseen images at every width, where chance is 10 %") {
  const Threads threads;
  const data::DatasetPtr train = data::make_shapes10(data::Split::train, 8000),
                         test = data::make_shapes10(data::Split::test, 500);
  models::HydraViTConfig config = models::from_config(tiny_model());
  config.drop_path = config.dropout = 0;
  config.head_dim = 16;
  config.heads_min = 2;
  config.heads = 4;
  const auto model = models::make_model(models::to_config(config), 0);
  TrainOptions options;
  options.steps = 1000;
  options.batch_size = 32;
  options.lr = 3e-3;
  options.augment = "none";
  options.eval_every = 0;
  options.ema = 0;
  Trainer trainer({*model, model->subnets(), *train, test.get(), options}, make_recipe(options, *model, model->subnets()));
  Listener nobody;
  trainer.run(nobody);
  REQUIRE(trainer.results().size() == 3);
  for (const Result& result : trainer.results()) {
    INFO(result.subnet.label);
    CHECK(result.metric("top1") >= 50);  // measured: 59 to 65
    CHECK(result.metric("top5") > result.metric("top1"));
  }
}

TEST_CASE("trainer: options that cannot work are refused before the first step") {
  const Threads threads;
  TrainOptions options = tiny_options();
  options.batch_size = 200;
  CHECK_THROWS_WITH_AS(Run{options}, "--batch-size: 200 is more than the 104 training images", Error);
  options = tiny_options();
  options.min_lr = 1;
  CHECK_THROWS_WITH_AS(Run{options}, "--min-lr: 1 is above --lr 0.003", Error);
  Run run(tiny_options());
  const Folder folder;
  save_checkpoint(folder / "a.ckpt", run.trainer.header(), run.trainer.tensors());
  models::HydraViTConfig wider = models::from_config(tiny_model());
  wider.heads = 4;
  Run other(tiny_options(), "", false, {}, models::to_config(wider));
  CHECK_THROWS_WITH_AS(other.trainer.restore(load_checkpoint(folder / "a.ckpt")),
                       doctest::Contains("is it a checkpoint of another model?"), Error);
}
