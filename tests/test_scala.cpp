// Scala against the authors' own numbers: logits of every ratio, with and without a DIST token, hidden states, the four-net
// step.
#include <doctest/doctest.h>

#include "models/scala.h"
#include "tests/error_of.h"
#include "tests/golden.h"
#include "train/optim/optimizer.h"
#include "train/recipes/sandwich.h"
#include "train/start/model_choice.h"

using namespace hv;
using namespace hv::test;
using train::SandwichOptions;
using train::SandwichRecipe;

namespace {

models::ScalaConfig config_of(const Golden& weights, bool distilled) {
  models::ScalaConfig c;
  c.image = weights.whole("image");
  c.patch = weights.whole("patch");
  c.channels = weights.whole("channels");
  c.depth = weights.whole("depth");
  c.width = weights.whole("embed");
  c.heads = weights.whole("heads");
  c.scale_dim = c.width / c.heads;
  c.mlp_ratio = weights.whole("mlp_ratio");
  c.classes = weights.whole("classes");
  c.distilled = distilled;
  return c;
}

void put_weights(const Golden& weights, const nn::Module& model) {
  const NoGrad off;
  for (const nn::Parameter& p : model.parameters()) p.value.copy_(weights[p.name]);
}

void compare_logits() {
  if (!first_time("scala logits")) return;
  const Golden weights("scala/weights"), plain_weights("scala/plain_weights"), forward("scala/forward");
  models::Scala model(config_of(weights, true), 0), plain(config_of(plain_weights, false), 0);
  put_weights(weights, model);
  put_weights(plain_weights, plain);
  const NoGrad off;
  REQUIRE(model.subnets().size() == 13);
  for (const models::Subnet& subnet : model.subnets()) {
    const double ratio = subnet.axes[0].value;
    const std::string r = concat(ratio), at = "logits." + r;
    CAPTURE(r);
    const std::vector<Tensor> out = model.outputs(forward["images"], subnet);
    CHECK(relative(out.at(0), forward[at + ".cls"]) < kLogits);
    CHECK(relative(out.at(1), forward[at + ".dist"]) < kLogits);
    CHECK(relative(model.forward(forward["images"], subnet), forward[at + ".avg"]) < kLogits);
    CHECK(relative(plain.forward(forward["images"], subnet), forward["plain." + at]) < kLogits);
    if (ratio != 0.25 && ratio != 0.625 && ratio != 1) continue;
    const std::vector<Tensor> hidden = model.hidden(forward["images"].slice(0, 0, 1), subnet);
    CHECK(relative(hidden[0], forward["hidden." + r + ".embedding"]) < kLogits);
    for (size_t i = 1; i < hidden.size(); ++i)
      CHECK(relative(hidden[i], forward[concat("hidden.", r, ".block", i - 1)]) < kLogits);
  }
}

// With 0.5 as the smallest ratio, the net of 0.5 has its blocks from one end and the rest from the other. That of 0.25, then
// not one of its own, has it the other way round, as with any smallest ratio but 0.25.
void compare_literal_ends() {
  if (!first_time("scala ends")) return;
  const Golden weights("scala/weights"), forward("scala/forward");
  for (const double ratio : {0.5, 0.25}) {
    CAPTURE(ratio);
    models::ScalaConfig c = config_of(weights, true);
    c.literal_ends = true;
    c.smallest = ratio == 0.5 ? 8 : 3;
    models::Scala model(c, 0);
    put_weights(weights, model);
    const NoGrad off;
    const std::string at = concat("quirk_smallest0.5.logits.", ratio);
    const std::vector<Tensor> out = model.outputs(forward["images"], model.subnet(ratio));
    CHECK(relative(out.at(0), forward[at + ".cls"]) < kLogits);
    CHECK(relative(out.at(1), forward[at + ".dist"]) < kLogits);
  }
}

struct Step {  // one variant of the golden step
  std::string name;
  bool soft_targets = true, distilled = true, teacher = true;
  SandwichOptions options{};
};

data::Batch batch_of(const Golden& step, bool soft) {
  data::Batch batch;
  batch.images = step["images"];
  batch.mixed = soft;
  batch.targets = step["targets.soft"];
  if (soft) return batch;
  batch.targets = Tensor::zeros(batch.targets.shape());
  const std::vector<int64_t>& labels = step.labels.at("targets.hard");
  for (size_t i = 0; i < labels.size(); ++i) batch.targets.mutable_data()[i * 10 + static_cast<size_t>(labels[i])] = 1;
  return batch;
}

// The weights after the step, whose gradients the model has.
void compare_update(const models::Scala& model) {
  const Golden gradients("scala/step_main_grad"), after("scala/step_main_after");
  const double lr = 1e-3;
  for (const nn::Parameter& p : model.parameters())
    CHECK_MESSAGE(relative(p.value.grad(), gradients["grad." + p.name]) < kGradients, p.name);
  train::make_optimizer(model.parameters(), {})->step(lr, 1);
  for (const nn::Parameter& p : model.parameters()) {
    const UpdateError error = update_error(p.value, after["after." + p.name], gradients["grad." + p.name], lr);
    CHECK_MESSAGE(error.clear < kClearUpdate, p.name);
    CHECK_MESSAGE(error.anywhere < kAnyUpdate, p.name);
  }
}

void compare_steps() {
  if (!first_time("scala steps")) return;
  const Golden weights("scala/weights"), plain_weights("scala/plain_weights"), step("scala/step");
  SandwichOptions us;
  us.teacher_loss = "soft";
  us.temperature = 2;
  us.teacher_chain = "full";
  us.transfer = "cls";
  const Step variants[] = {{"main"},
                           {"hardlabel", false},
                           {"softkd_us_clstoken", true, true, true, us},
                           {"warm"},
                           {"plain_nokd", true, false, false}};
  for (const Step& v : variants) {
    CAPTURE(v.name);
    const Golden& from = v.distilled ? weights : plain_weights;
    models::Scala model(config_of(from, v.distilled), 0);
    put_weights(from, model);
    const SandwichRecipe::Teacher teacher = [&](const Tensor&) { return step["teacher_logits"]; };
    SandwichRecipe recipe(model, model.subnets(), v.options, v.teacher ? teacher : SandwichRecipe::Teacher{},
                          v.soft_targets ? 0 : 0.1, 0);
    const data::Batch batch = batch_of(step, v.soft_targets);
    std::vector<models::Subnet> nets;
    for (const double r : step[v.name + ".widths"].to_vector()) nets.push_back(model.subnet(r));
    std::vector<Tensor> losses, labels;  // of each pass; the second is what narrower nets learn from labels, never smoothed
    double total = 0;
    recipe.run(nets, batch, [&](const models::Subnet& net, const Tensor& loss) {
      CHECK(net.id == nets.at(losses.size()).id);
      total += loss.item();
      loss.backward();
      losses.push_back(loss.detach());
      const NoGrad off;
      labels.push_back(cross_entropy(model.outputs(batch.images, net)[0], batch.targets));
    });
    CHECK(losses.size() == nets.size());
    const char* const names[] = {".loss_full", ".loss_3q", ".loss_2q", ".loss_1q"};
    const Tensor none = Tensor::zeros({1});  // of a net that did not run
    for (size_t i = 0; i < 4; ++i) {
      const std::string name = v.name + names[i];
      CHECK_MESSAGE(deviation(i < losses.size() ? losses[i] : none, step[name]) < kLosses, name);
      if (i > 0) CHECK_MESSAGE(deviation(i < losses.size() ? labels[i] : none, step[name + "_ce"]) < kLosses, name);
    }
    CHECK(total == doctest::Approx(step[v.name + ".loss"].item()).epsilon(kLosses));
    if (v.name == "main") {
      compare_update(model);
      continue;
    }
    const Names chosen = {"patch_embed.proj.weight", "cls_token",   "dist_token", "pos_embed",       "blocks.0.attn.qkv.weight",
                          "blocks.3.mlp.fc2.bias",   "head.weight", "head.bias",  "head_dist.weight"};
    for (const nn::Parameter& p : model.parameters()) {
      const std::string name = v.name + ".grad." + p.name;
      if (chosen.count(p.name)) CHECK_MESSAGE(relative(p.value.grad(), step[name]) < kGradients, name);
    }
  }
}

}  // namespace

TEST_CASE("scala: logits of every ratio, and hidden states, are the authors'") {
  if (have_golden("scala")) compare_logits();
}

TEST_CASE("scala: with another smallest ratio the authors' distilled class cuts its ends by 0.25 and 1") {
  if (have_golden("scala")) compare_literal_ends();
}

TEST_CASE("scala: losses, gradients and weights of the authors' step, in five variants") {
  if (have_golden("scala")) compare_steps();
}

TEST_CASE("scala: no number of the authors is left uncompared") {
  if (!have_golden("scala")) return;
  compare_logits();
  compare_literal_ends();
  compare_steps();
  CHECK(unread("scala") == "");
}

TEST_CASE("scala: --isolate is an entry of its configuration, and of no other model's") {
  train::TrainOptions o;
  o.steps = 1;
  o.preset = "scala-nano";
  const train::Fields fields = train::train_fields(o);
  const train::Field* isolate = train::find_field(fields, "isolate");
  CHECK(isolate->get() == "preset");
  CHECK(train::model_config(o, 10).at("isolate") == "on");
  isolate->set("off");
  CHECK(train::model_config(o, 10).at("isolate") == "off");
  CHECK(train::find_field(train::run_fields(o), "isolate"));
  CHECK(error_of([&] { isolate->set("1"); }) == "--isolate: '1' is unknown; choose preset, on or off; did you mean on?");
  o.preset = "nano";
  CHECK_FALSE(train::find_field(train::run_fields(o), "isolate"));
  CHECK(error_of([&] { train::check_model(o); }) == "--isolate: preset nano has none");

  // Off: a width between the ends reads the first parts, as the ends do.
  models::ScalaConfig c;
  c.depth = 1;
  Stream stream(3, Purpose::test);
  const Tensor images = Tensor::normal({1, 3, 32, 32}, 0, 1, stream);
  const NoGrad quiet;
  models::Scala isolated(c, 5);
  c.isolate = false;
  models::Scala shared(c, 5);
  const auto differs = [&](double ratio) {
    return relative(shared.forward(images, shared.subnet(ratio)), isolated.forward(images, isolated.subnet(ratio))) > 1e-3;
  };
  CHECK(differs(0.5));
  CHECK_FALSE(differs(0.25));
  CHECK_FALSE(differs(1));
}

TEST_CASE("scala: extract of any ratio is a plain model with the same logits") {
  models::ScalaConfig c;
  c.depth = 2;
  c.width = 32;
  c.heads = 2;
  c.scale_dim = 16;
  c.grid = 4;
  c.smallest = 1;
  Stream stream(3, Purpose::test);
  const Tensor images = Tensor::normal({2, 3, 32, 32}, 0, 1, stream);
  const NoGrad off;
  for (const bool distilled : {false, true}) {
    c.distilled = distilled;
    models::Scala model(c, 5);
    for (const models::Subnet& subnet : model.subnets()) {
      const auto alone = model.extract(subnet);
      CHECK(alone->subnets().size() == 1);
      CHECK(alone->parameter_count() == model.params(subnet));
      CHECK(relative(alone->forward(images, alone->subnets()[0]), model.forward(images, subnet)) < 1e-5);
      int64_t used = 0;
      for (const Tensor& view : model.active(subnet)) used += view.numel();
      CHECK(used == model.params(subnet));
    }
  }
}

TEST_CASE("sandwich: the ends are always trained, the drawn nets come from both halves, as often as `share` says") {
  models::ScalaConfig c;
  c.depth = 1;
  c.width = 64;
  c.heads = 4;
  models::Scala model(c, 0);
  for (const bool stable : {true, false}) {
    SandwichOptions options;
    options.stable_sampling = stable;
    options.full_steps = 10;
    SandwichRecipe recipe(model, model.subnets(), options, {}, 0.1, 7);
    CHECK(recipe.trains(9).size() == 1);
    std::vector<double> seen(13, 0);
    const int64_t steps = 20000;
    for (int64_t s = 10; s < 10 + steps; ++s) {
      const auto nets = recipe.trains(s);
      REQUIRE(nets.size() == 4);
      CHECK((nets[0].id == 12 && nets[3].id == 0 && nets[1].id > nets[2].id));
      if (stable) CHECK((nets[1].id >= 6 && nets[2].id <= 5));
      for (const auto& net : nets) ++seen[static_cast<size_t>(net.id)];
    }
    for (const auto& net : model.subnets()) {
      const double share = recipe.share(net), n = static_cast<double>(steps);
      CHECK(std::abs(seen[static_cast<size_t>(net.id)] / n - share) <= 5 * std::sqrt(share * (1 - share) / n));
    }
  }
}

TEST_CASE("scala: without a teacher both classifiers of the full net learn the labels") {
  models::ScalaConfig c;
  c.depth = 1;
  models::Scala model(c, 1);
  SandwichOptions options;
  options.full_steps = 1;
  SandwichRecipe recipe(model, model.subnets(), options, {}, 0.1, 1);
  data::Batch batch;
  Stream stream(3, Purpose::test);
  batch.images = Tensor::normal({2, 3, 32, 32}, 0, 1, stream);
  batch.targets = Tensor::zeros({2, 10});
  batch.targets.mutable_data()[3] = batch.targets.mutable_data()[15] = 1;
  double learnt = 0;
  recipe.passes(batch, 0, [&](const models::Subnet&, const Tensor& loss) {
    learnt = loss.item();
    loss.backward();
  });
  double both = 0;
  for (const Tensor& logits : model.outputs(batch.images, model.subnets().back())) {
    both += cross_entropy(logits, batch.targets, 0.1).item() / 2;
  }
  CHECK(learnt == doctest::Approx(both).epsilon(1e-5));
  const Tensor gradient = model.parameter("head_dist.weight").grad();
  CHECK(sum(gradient * gradient).item() > 0);
}
