// ThinkingViT against the authors' own numbers: logits of every stage, the tokens that are handed on, entropies and the stage
// that answers, losses, gradients and weights after a step, for two and three stages.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "models/thinking.h"
#include "tests/golden.h"
#include "train/optim/optimizer.h"
#include "train/recipes/thinking.h"

using namespace hv;
using namespace hv::test;
using models::Look;
using models::Subnet;
using models::Thinking;
using models::ThinkingConfig;
using train::Term;

namespace {

ThinkingConfig config_of(const Golden& weights) {
  ThinkingConfig c;
  c.image = weights.whole("image");
  c.patch = weights.whole("patch");
  c.channels = weights.whole("channels");
  c.depth = weights.whole("depth");
  c.head_dim = weights.whole("head_dim");
  c.mlp_ratio = weights.whole("mlp_ratio");
  c.classes = weights.whole("classes");
  c.stages.clear();
  std::istringstream words(weights.metadata.at("stages"));
  for (int64_t heads; words >> heads;) c.stages.push_back(heads);
  return c;
}

// A model with weights of theirs, and our tensors as theirs lie: qkv rows as [q; k; v], ours head by head.
struct Theirs {
  Golden weights;
  ThinkingConfig config;
  Thinking model;
  std::vector<nn::Parameter> ours;

  explicit Theirs(const std::string& name)
      : weights("thinkingvit/" + name + "_weights"), config(config_of(weights)), model(config, 0), ours(model.parameters()) {
    const NoGrad off;
    for (const nn::Parameter& p : ours) {
      const Tensor view = as_theirs(p.name, p.value);
      view.copy_(weights[p.name].view(view.shape()));
    }
  }
  Tensor as_theirs(const std::string& name, const Tensor& value) const {
    if (name.find(".qkv.") == std::string::npos) return value;
    return value.view({config.stages.back(), 3, config.head_dim, -1}).permute({1, 0, 2, 3});
  }
};

// The entropy of the ten most probable classes among themselves.
double entropy(const Tensor& logits) {
  std::vector<double> p = softmax(logits).to_vector();
  std::sort(p.rbegin(), p.rend());
  p.resize(10);
  const double all = std::accumulate(p.begin(), p.end(), 0.0);
  return std::accumulate(p.begin(), p.end(), 0.0, [&](double sum, double x) { return sum - x / all * std::log(x / all); });
}

void compare_forward() {
  if (!first_time("thinking forward")) return;
  const Golden forward("thinkingvit/forward");
  for (const std::string name : {"two", "three"}) {
    CAPTURE(name);
    Theirs theirs(name);
    const NoGrad off;
    const Tensor& images = forward["images"];
    const int64_t batch = images.size(0);
    std::vector<Tensor> logits;
    Look look;
    for (const Subnet& stage : theirs.model.subnets()) {
      CAPTURE(stage.name);
      look = theirs.model.look(images, stage, look);
      logits.push_back(look.logits);
      CHECK(relative(look.logits, forward[concat(name, ".logits.stage", stage.id)]) < kLogits);
      CHECK(relative(theirs.model.forward(images, stage), forward[concat(name, ".logits.stage", stage.id)]) < kLogits);
      if (stage.id == 0) CHECK(relative(look.memory.slice(0, 0, 1), forward[name + ".recycled.stage0"]) < kLogits);
      const Tensor& expected = forward[concat(name, ".entropy.stage", stage.id)];
      for (int64_t i = 0; i < batch; ++i) CHECK(std::abs(entropy(look.logits.select(0, i)) - expected.data()[i]) < kLosses);
    }
    for (const int threshold : {0, 1, 2, 3}) {
      const std::string at = concat(name, ".threshold", threshold);
      const double value = forward[at + ".value"].item();
      std::vector<int64_t> used;
      std::vector<Tensor> answers;
      for (int64_t i = 0; i < batch; ++i) {
        size_t stage = 0;
        while (stage + 1 < logits.size() && entropy(logits[stage].select(0, i)) >= value) ++stage;
        used.push_back(static_cast<int64_t>(stage));
        answers.push_back(logits[stage].select(0, i));
      }
      CHECK(used == forward.labels.at(at + ".stage_used"));
      CHECK(relative(stack(answers, 0), forward[at + ".logits"]) < kLogits);
    }
  }
}

void compare_steps() {
  if (!first_time("thinking steps")) return;
  const Golden step("thinkingvit/step");
  for (const std::string name : {"two", "three"}) {
    CAPTURE(name);
    Theirs theirs(name);
    data::Batch batch;
    batch.images = step["images"];
    const auto compare_losses = [&](const std::string& at, double smoothing) {
      train::ThinkingRecipe recipe(theirs.model, theirs.model.subnets(), smoothing);
      const std::vector<double> expected = step[at + "terms"].to_vector();
      Tensor mean;
      recipe.passes(batch, 0, [&](const std::vector<Term>& terms) {
        REQUIRE(terms.size() == expected.size());
        for (size_t s = 0; s < terms.size(); ++s) {
          CHECK(terms[s].subnet.id == static_cast<int64_t>(s));
          CHECK(std::abs(terms[s].loss.item() - expected[s]) < kLosses * std::max(1.0, expected[s]));
          const Tensor part = terms[s].loss * (1 / static_cast<double>(terms.size()));
          mean = s == 0 ? part : mean + part;
        }
      });
      CHECK(deviation(mean, step[at + "loss"]) < kLosses);
      return mean;
    };
    batch.targets = Tensor::zeros({batch.images.size(0), theirs.config.classes});
    const std::vector<int64_t>& labels = step.labels.at("targets.hard");
    for (size_t i = 0; i < labels.size(); ++i)
      batch.targets.mutable_data()[static_cast<int64_t>(i) * theirs.config.classes + labels[i]] = 1;
    compare_losses(name + ".hard.", 0.1);
    batch.targets = step["targets.soft"];
    compare_losses(name + ".", 0).backward();

    const Golden gradients("thinkingvit/" + name + "_step_grad"), after("thinkingvit/" + name + "_step_after");
    for (const nn::Parameter& p : theirs.ours) {
      const Tensor gradient = theirs.as_theirs(p.name, p.value.grad());
      CHECK_MESSAGE(relative(gradient, gradients["grad." + p.name]) < kGradients, p.name);
    }
    train::make_optimizer(theirs.ours, {})->step(1e-3, 1);
    for (const nn::Parameter& p : theirs.ours) {
      CAPTURE(p.name);
      // The true gradient of a key's bias is 0. Theirs is noise, and once exactly 0, which update_error() takes for a weight
      // that took no part.
      const Tensor gradient = gradients["grad." + p.name].clone();
      const int64_t full = theirs.config.width();
      if (p.name.ends_with(".qkv.bias")) gradient.slice(0, full, 2 * full).copy_(Tensor::full({full}, 1e-9));
      const UpdateError error = update_error(theirs.as_theirs(p.name, p.value), after["after." + p.name], gradient, 1e-3);
      CHECK(error.clear < kClearUpdate);
      CHECK(error.anywhere < kAnyUpdate);
      CHECK(error.share > 0.6);
    }
  }
}

}  // namespace

TEST_CASE("golden: ThinkingViT: logits, tokens handed on, entropies and answers at every threshold are the authors'") {
  if (have_golden("thinkingvit")) compare_forward();
}

TEST_CASE("golden: ThinkingViT: losses, gradients and weights of the authors' step, for two and three stages") {
  if (have_golden("thinkingvit")) compare_steps();
}

TEST_CASE("golden: ThinkingViT: no number of the authors is left uncompared") {
  if (!have_golden("thinkingvit")) return;
  compare_forward();
  compare_steps();
  CHECK(unread("thinkingvit") == "");
}
