// Cut models: against the uncut model; nested budgets; tokens that leave; hostile sizes; runs that start from one.
#include <doctest/doctest.h>

#include <set>

#include "data/shapes10.h"
#include "models/relevance.h"
#include "models/slim_cut.h"
#include "models/supervit.h"
#include "tests/error_of.h"
#include "tests/program.h"
#include "train/state/checkpoint.h"

using namespace hv;
using namespace hv::test;
using models::Slim;
using models::SlimBudget;
using models::SlimConfig;
using models::SlimMasks;
using models::SlimPlan;
using models::SuperViT;
using models::SuperViTConfig;

namespace {

SlimConfig slim_of(const SuperViTConfig& c) {
  SlimConfig s;
  static_cast<models::VitConfig&>(s) = c;
  s.width = c.width();
  s.head_dim = c.head_dim;
  return s;
}

// Masks drawn at random, as large as the model.
SlimMasks masks_of(const SuperViTConfig& c, bool tokens) {
  SlimMasks masks;
  Stream random(5, Purpose::init);
  const auto drawn = [&](int64_t n) { return Tensor::normal({n}, 0.5, 0.5, random).to_vector(); };
  for (int64_t i = 0; i < c.depth; ++i) {
    masks.heads.emplace_back();
    for (int64_t h = 0; h < c.heads; ++h) masks.heads.back().push_back(drawn(c.head_dim));
    masks.hidden.push_back(drawn(c.mlp_ratio * c.width()));
    if (tokens) masks.tokens.push_back(drawn(c.patches() + 1));
  }
  return masks;
}

SuperViTConfig small() {
  SuperViTConfig c;
  c.image = 16;
  c.depth = 3;
  c.heads = 3;
  c.head_dim = 8;
  c.classes = 5;
  return c;
}

Tensor some_images(const SuperViTConfig& c, int64_t batch = 3) {
  Stream random(1, Purpose::init);
  return Tensor::normal({batch, c.channels, c.image, c.image}, 0, 1, random);
}

void randomise(const nn::Module& model) {
  const NoGrad off;
  Stream random(2, Purpose::init);
  for (const nn::Parameter& p : model.parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.1, 0.3, random));
}

double apart(const Tensor& a, const Tensor& b) { return hv::max(abs(a - b)).item() / hv::max(abs(b)).item(); }

// The uncut model on the tokens that are left in each block, by plain operations.
Tensor on_tokens(const SuperViT& model, const SuperViTConfig& c, const std::vector<int64_t>& lives, const Tensor& images) {
  const auto p = [&](const std::string& name) { return model.parameter(name); };
  const auto norm = [&](const Tensor& x, const std::string& name) {
    return layer_norm(x, p(name + ".weight"), p(name + ".bias"));
  };
  const auto layer = [&](const Tensor& x, const std::string& name) {
    return linear(x, p(name + ".weight"), p(name + ".bias"));
  };
  const Tensor patches =
      linear(patchify(images, c.patch), p("patch_embed.proj.weight").view({c.width(), -1}), p("patch_embed.proj.bias"));
  Tensor x = cat({p("cls_token").expand({images.size(0), 1, c.width()}), patches}, 1) + p("pos_embed");
  std::vector<int64_t> here(lives.size());
  for (size_t t = 0; t < here.size(); ++t) here[t] = static_cast<int64_t>(t);
  for (int64_t i = 0; i < c.depth; ++i) {
    std::vector<int64_t> places, left;
    for (size_t k = 0; k < here.size(); ++k) {
      if (lives[static_cast<size_t>(here[k])] <= i) continue;
      places.push_back(static_cast<int64_t>(k));
      left.push_back(here[k]);
    }
    x = index_select(x, 1, places);
    here = left;
    const std::string block = concat("blocks.", i, ".");
    x = x + layer(attention_composed(layer(norm(x, block + "norm1"), block + "attn.qkv"), c.head_dim), block + "attn.proj");
    x = x + layer(gelu(layer(norm(x, block + "norm2"), block + "mlp.fc1")), block + "mlp.fc2");
  }
  return layer(norm(x, "norm").select(1, 0), "head");
}

// The uncut model with what the plan does not keep set to 0: the products are those of the cut model.
void zero_what_goes(const SlimPlan& plan, const SuperViT& model, size_t budget) {
  const NoGrad off;
  const int64_t d = plan.config.head_dim;
  for (size_t i = 0; i < plan.dims.size(); ++i) {
    const models::SlimSizes sizes = plan.config.sizes()[budget];
    const std::string block = concat("blocks.", i, ".");
    for (size_t h = 0; h < plan.dims[i].size(); ++h) {
      std::set<int64_t> kept(plan.dims[i][h].begin(), plan.dims[i][h].begin() + sizes.heads[i][h]);
      for (int64_t k = 0; k < d; ++k) {
        if (kept.count(k)) continue;
        for (int64_t which = 0; which < 3; ++which) {
          const int64_t row = (static_cast<int64_t>(h) * 3 + which) * d + k;
          model.parameter(block + "attn.qkv.weight").select(0, row).fill_(0);
          model.parameter(block + "attn.qkv.bias").slice(0, row, row + 1).fill_(0);
        }
      }
    }
    std::set<int64_t> kept(plan.units[i].begin(), plan.units[i].begin() + sizes.hidden[i]);
    for (int64_t k = 0; k < model.parameter(block + "mlp.fc1.bias").size(0); ++k) {
      if (!kept.count(k)) model.parameter(block + "mlp.fc2.weight").select(1, k).fill_(0);
    }
  }
}

}  // namespace

TEST_CASE("slim: a cut model equals the uncut one with zeros, at every nested budget, and so does each budget alone") {
  const SuperViTConfig c = small();
  const std::vector<SlimBudget> budgets = {{0.3, 0.2, 1}, {0.5, 0.6, 1}, {0.9, 0.8, 1}};
  for (const int64_t round : {1, 4}) {
    SlimMasks masks = masks_of(c, false);
    for (std::vector<double>& head : masks.heads[1]) std::fill(head.begin(), head.end(), -1);  // these go altogether
    std::fill(masks.hidden[2].begin(), masks.hidden[2].end(), -1);
    const SlimPlan plan = plan_cut(slim_of(c), c.heads, masks, budgets, {0.3, 0.5, 0.9}, round);
    for (size_t b = 0; b < budgets.size(); ++b) {
      SuperViT uncut(c, 0);
      randomise(uncut);
      const auto slim = cut(plan, uncut);
      zero_what_goes(plan, uncut, b);
      uncut.eval();
      slim->eval();
      const NoGrad off;
      const Tensor images = some_images(c), expected = uncut.forward(images, uncut.subnets().back());
      const models::Subnet& subnet = slim->subnets()[b];
      CHECK(apart(slim->forward(images, subnet), expected) < 1e-6);
      const auto alone = slim->extract(subnet);
      alone->eval();
      CHECK(apart(alone->forward(images, alone->subnets()[0]), expected) < 1e-6);
      CHECK(alone->parameter_count() == slim->params(subnet));
      CHECK(alone->macs(alone->subnets()[0]) == slim->macs(subnet));
      int64_t used = 0;
      for (const Tensor& part : slim->active(subnet)) used += part.numel();
      CHECK(used == slim->params(subnet));
      if (round == 4) {
        const models::SlimSizes sizes = plan.config.sizes()[b];
        for (const auto& block : sizes.heads) {
          for (const int64_t size : block) CHECK(size % 4 == 0);
        }
      }
    }
    CHECK(plan.config.sizes()[1].heads[1] == std::vector<int64_t>(3, 0));
    CHECK(plan.config.sizes()[1].hidden[2] == 0);
  }
}

TEST_CASE("slim: gradients go to the part that a budget uses, and are those of the model of it alone") {
  const SuperViTConfig c = small();
  const SlimPlan plan = plan_cut(slim_of(c), c.heads, masks_of(c, true), {{0.4, 0.4, 0.6}, {0.8, 0.8, 0.6}}, {0.4, 0.8});
  SuperViT uncut(c, 0);
  randomise(uncut);
  const auto slim = cut(plan, uncut);
  const models::Subnet& subnet = slim->subnets()[0];
  const auto alone = slim->extract(subnet);
  const Tensor images = some_images(c);
  sum(slim->forward(images, subnet) * slim->forward(images, subnet)).backward();
  sum(alone->forward(images, alone->subnets()[0]) * alone->forward(images, alone->subnets()[0])).backward();
  for (const char* name : {"pos_embed", "patch_embed.proj.weight", "blocks.0.norm1.weight", "blocks.1.attn.proj.bias"}) {
    CHECK(apart(slim->parameter(name).grad(), alone->parameter(name).grad()) < 1e-5);
  }
  double whole = 0, part = 0;
  const std::vector<Tensor> views = slim->active(subnet);
  for (size_t i = 0; i < views.size(); ++i) {
    whole += sum(abs(slim->parameters()[i].value.grad())).item();
    if (views[i].numel() > 0) part += sum(abs(views[i].grad())).item();
  }
  CHECK(whole > 0);
  CHECK(part == doctest::Approx(whole).epsilon(1e-5));
}

TEST_CASE("slim: tokens that are over are not there; masked ones still take part in softmax") {
  const SuperViTConfig c = small();
  SuperViT uncut(c, 0);
  randomise(uncut);
  SlimConfig removed = slim_of(c), masked = removed;
  masked.tokens_by = "masked";
  const SlimMasks masks = masks_of(c, true);
  const SlimBudget half{1, 1, 0.5};
  const auto short_one = cut(plan_cut(removed, c.heads, masks, {half}, {1}), uncut);
  const auto long_one = cut(plan_cut(masked, c.heads, masks, {half}, {1}), uncut);
  const NoGrad off;
  const Tensor images = some_images(c);
  const models::Subnet& full = short_one->subnets()[0];
  CHECK(short_one->macs(full) < 0.8 * static_cast<double>(long_one->macs(full)));
  CHECK(apart(short_one->forward(images, full), long_one->forward(images, full)) > 1e-3);
  const std::vector<int64_t> lives = models::slim_from_config(short_one->config()).lives();
  CHECK(lives[0] == c.depth);
  CHECK(apart(short_one->forward(images, full), on_tokens(uncut, c, lives, images)) < 1e-5);
  const std::vector<Tensor> seen = short_one->survivors(images, full);
  REQUIRE(!seen.empty());
  for (int64_t t = 1; t < std::ssize(lives); ++t) {
    CHECK(seen.back().at({0, (t - 1) / 4, (t - 1) % 4}) == (lives[static_cast<size_t>(t)] == c.depth ? 1 : 0));
  }
  // All tokens alive: the uncut model itself.
  const auto same = cut(plan_cut(removed, c.heads, masks, {{1, 1, 1}}, {1}), uncut);
  CHECK(apart(same->forward(images, full), uncut.forward(images, uncut.subnets().back())) < 1e-6);
}

TEST_CASE("slim: hostile sizes are errors that say what is expected") {
  const SuperViTConfig c = small();
  const models::Config good = to_config(plan_cut(slim_of(c), c.heads, masks_of(c, true), {{0.5, 0.5, 0.5}}, {1}).config);
  CHECK_NOTHROW(models::make_model(good, 0));
  const auto broken = [&](const std::string& entry, const std::string& value) {
    models::Config config = good;
    config[entry] = value;
    return error_of([&] { models::make_model(config, 0); });
  };
  const auto starts = [](const std::string& text, const std::string& with) { CHECK_MESSAGE(text.starts_with(with), text); };
  starts(broken("head_dims", ""), "model: head_dims: expected whole numbers from 0 to 8, as 16,9,0; found ''");
  starts(broken("head_dims", "8,8,9/1,1,1/1,1,1"), "model: head_dims: expected whole numbers from 0 to 8");
  starts(broken("head_dims", "8,8,8/1,1,1"), "model: head_dims: expected 3 blocks, found 2 in head_dims and 3 in hidden");
  starts(broken("head_dims", "8,8,8/1,1/1,1,1"), "model: head_dims: expected 3 heads in each block, found 2");
  starts(broken("head_dims", "8,8,8/1,1,1/1,1,1;8,8,8/1,1,1/1,1,1"), "model: head_dims: expected the sizes of 1 budgets");
  starts(broken("hidden", "1,2"), "model: head_dims: expected 3 blocks, found 3 in head_dims and 2 in hidden");
  starts(broken("hidden", "1,2,49"), "model: hidden: expected whole numbers from 0 to 48");
  starts(broken("hidden", "1,2,99999999999999999999"), "model: hidden: expected whole numbers from 0 to 48");
  starts(broken("budgets", "0"), "model: budgets: '0' is no list of budgets");
  starts(broken("life", "1,2"), "model: life: expected 17 tokens, found 2");
  starts(broken("life", "2,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3"), "model: life: the first token decides");
  starts(broken("tokens_by", "none"), "model: tokens_by: expected removed or masked, found 'none'");
  starts(broken("width", "70000"), "model: width: expected 1 to 65536, found 70000");
  models::Config two = good;
  two["budgets"] = "0.5,0.7";
  two["head_dims"] = good.at("head_dims") + ";0,0,0/0,0,0/0,0,0";
  two["hidden"] = good.at("hidden") + ";0,0,0";
  starts(error_of([&] { models::make_model(two, 0); }), "model: head_dims: a budget has less than the one before it");
}

TEST_CASE("slim: --init takes the model of a cut checkpoint, and the run goes on after a stop as without it") {
  using namespace program_fixtures;
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program run;
  SuperViTConfig c = small();
  c.image = 32;
  c.patch = 8;
  c.classes = 10;
  SuperViT uncut(c, 0);
  const std::vector<SlimBudget> budgets = {{0.4, 0.4, 0.6}, {0.8, 0.8, 0.6}};
  const auto slim = cut(plan_cut(slim_of(c), c.heads, masks_of(c, true), budgets, {0.4, 0.8}), uncut);
  train::Header header;
  header.model = slim->config();
  header.class_names = data::shapes10_classes();
  header.std = {1, 1, 1};
  std::vector<train::NamedTensor> tensors;
  for (const nn::Parameter& p : slim->parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
  train::save_checkpoint((run / "cut.ckpt").string(), header, tensors);

  const std::string train =
      "train --data shapes10 --init cut.ckpt --steps 4 --batch-size 8 --train-limit 64 --eval-every 0 "
      "--eval-limit 16 --report off ";
  const auto ok = [&](const std::string& arguments) { return run.ok(arguments); };
  const std::string table = ok(train + "--out whole");
  CHECK(contains(table, "training slim in whole"));
  CHECK(contains(table, "budget"));
  ok(train + "--out half --stop-after 2");
  ok("train --resume half --report off");
  const train::Checkpoint one = train::load_checkpoint((run / "whole/last.ckpt").string());
  const train::Checkpoint two = train::load_checkpoint((run / "half/last.ckpt").string());
  for (const train::NamedTensor& tensor : one.tensors) CHECK(tensor.value.to_vector() == two.tensor(tensor.name).to_vector());
  CHECK(contains(ok("info whole"), "budget=0.4"));
  ok("eval whole --limit 16 --subnets budget0.8");
  check_refused(run(train + "--preset nano --out other"), 2,
                "cut.ckpt: a model of kind slim, which is no plain vision transformer");
  header.model.erase("classes");  // a damaged file
  train::save_checkpoint((run / "bad.ckpt").string(), header, tensors);
  check_refused(run("train --data shapes10 --steps 1 --init bad.ckpt --out other"), 2, "--init: a model of kind slim");
  header.model.erase("model");
  train::save_checkpoint((run / "bad.ckpt").string(), header, tensors);
  check_refused(run("slim search bad.ckpt --data shapes10 --steps 1 --out other"), 3, "does not say which model it is");
  check_refused(run("train --preset init --data shapes10 --out other"), 2, "--preset init: --init names no checkpoint");
}

TEST_CASE("slim: what speaks for a label is as in the uncut model; tokens that never take part say nothing") {
  const SuperViTConfig c = small();
  SuperViT uncut(c, 0);
  randomise(uncut);
  const Tensor images = some_images(c);
  const Tensor expected = models::relevance(uncut, images, uncut.subnets().back(), 2);
  for (const double tokens : {1.0, 0.6}) {
    const SlimPlan plan = plan_cut(slim_of(c), c.heads, masks_of(c, tokens < 1), {{1, 1, tokens}}, {1});
    const auto slim = cut(plan, uncut);
    const Tensor found = models::relevance(*slim, images, slim->subnets()[0], 2);
    if (tokens == 1) CHECK(apart(found, expected) < 1e-5);
    const std::vector<int64_t> lives = plan.config.lives();
    for (size_t i = 0; i < 3 * 16; ++i) {
      if (lives[1 + i % 16] == 0) CHECK(found.data()[i] == 0);
    }
    CHECK(sum(found).item() == doctest::Approx(3));
    CHECK((tokens == 1 || std::count(lives.begin(), lives.end(), 0) > 0));
  }
}
