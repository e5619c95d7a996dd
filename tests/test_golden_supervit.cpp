// SuperViT against the authors' own numbers: resized images, logits and kept tokens of every size and rate, hidden states,
// losses, gradients and weights after a step.
#include <doctest/doctest.h>

#include <sstream>

#include "models/supervit.h"
#include "tests/golden.h"
#include "train/recipes/supervit.h"
#include "train/step.h"

using namespace hv;
using namespace hv::test;
using models::Subnet;
using models::SuperViT;
using models::SuperViTConfig;

namespace {

// "3 6 9" as an entry of our configuration.
std::string list_of(const std::string& words) {
  std::string list = words;
  for (char& c : list) c = c == ' ' ? ',' : c;
  return list;
}

SuperViTConfig config_of(const Golden& weights) {
  SuperViTConfig c;
  c.sizes = list_of(weights.metadata.at("image_sizes"));
  c.image = std::stoll(c.sizes.substr(c.sizes.rfind(',') + 1));
  c.patch = weights.whole("patch");
  c.channels = weights.whole("channels");
  c.depth = weights.whole("depth");
  c.heads = weights.whole("heads");
  c.head_dim = weights.whole("embed") / c.heads;
  c.mlp_ratio = weights.whole("mlp_ratio");
  c.classes = weights.whole("classes");
  c.keep = list_of(weights.metadata.at("rates"));
  c.prune = list_of(weights.metadata.at("prune_blocks"));
  return c;
}

// A model with weights of theirs, and our tensors as theirs lie: qkv rows as [q; k; v], ours head by head.
struct Theirs {
  Golden weights{"supervit/weights"};
  SuperViTConfig config = config_of(weights);
  SuperViT model{config, 0};
  std::vector<nn::Parameter> ours = model.parameters();

  Theirs() {
    const NoGrad off;
    for (const nn::Parameter& p : ours) {
      const Tensor view = as_theirs(p.name, p.value);
      view.copy_(weights[p.name].view(view.shape()));
    }
  }
  Tensor as_theirs(const std::string& name, const Tensor& value) const {
    if (name.find(".qkv.") == std::string::npos) return value;
    return value.view({config.heads, 3, config.head_dim, -1}).permute({1, 0, 2, 3});
  }
};

// "32.0.5", as the files name a size and a rate
std::string name_of(const Subnet& subnet) { return concat(subnet.axes.at(0).value, ".", subnet.axes.at(1).value); }

void compare_forward() {
  if (!first_time("supervit forward")) return;
  const Golden forward("supervit/forward");
  Theirs theirs;
  const NoGrad off;
  const Tensor& images = forward["images"];
  const int64_t batch = images.size(0);
  const std::vector<int64_t> sizes = theirs.config.token_axes().sizes();
  for (const int64_t size : sizes) {
    if (size == theirs.config.image) continue;
    const Tensor& expected = forward[concat("resized.", size)];
    CHECK(relative(resize_bilinear(images.slice(0, 0, 1), size, size, true), expected) < 1e-6);
    CHECK(relative(resize_bilinear(images.slice(0, 0, 1), size, size, false), expected) > 1e-2);  // the other convention
  }
  for (const Subnet& subnet : theirs.model.subnets()) {
    CAPTURE(subnet.name);
    const std::string name = name_of(subnet);
    CHECK(relative(theirs.model.forward(images, subnet), forward["logits." + name]) < kLogits);
    std::vector<std::vector<int64_t>> picked;
    const std::vector<Tensor> hidden = theirs.model.hidden(images, subnet, &picked);
    Tensor places;  // of each token, where it began
    for (int64_t b = 0; b < theirs.config.depth; ++b) {
      const std::vector<int64_t>& index = picked[static_cast<size_t>(b)];
      if (index.empty()) continue;
      const std::string at = concat(".", name, ".block", b);
      CHECK(index == forward.labels.at("kept" + at));
      const int64_t tokens = hidden[static_cast<size_t>(b)].size(1);
      if (!places.defined()) places = Tensor::arange(tokens).view({1, tokens, 1}).expand({batch, tokens, 1});
      places = gather_tokens(places, index, std::ssize(index) / batch);
      const std::vector<int64_t>& expected = forward.labels.at("kept_patch" + at);
      CHECK(places.to_vector() == std::vector<double>(expected.begin(), expected.end()));
    }
    CHECK(places.defined() == (subnet.axes.at(1).value < 1));
    if (forward.tensors.count("hidden." + name + ".embedding") == 0) continue;
    CHECK(relative(hidden[0].slice(0, 0, 1), forward["hidden." + name + ".embedding"]) < kLogits);
    for (const int64_t b : {0, 3, 6, 9}) {
      CHECK(relative(hidden[static_cast<size_t>(b + 1)].slice(0, 0, 1), forward[concat("hidden.", name, ".block", b)]) <
            kLogits);
    }
  }
}

void compare_step() {
  if (!first_time("supervit step")) return;
  const Golden step("supervit/step"), gradients("supervit/step_grad"), after("supervit/step_after");
  Theirs theirs;
  std::vector<Subnet> nets;  // "32/1 CE, 32/0.5 KL, ..."
  std::istringstream words(step.metadata.at("subnetworks"));
  for (std::string word, rest; words >> word >> rest;) {
    word.replace(word.find('/'), 1, ".");
    for (const Subnet& subnet : theirs.model.subnets()) {
      if (name_of(subnet) == word) nets.push_back(subnet);
    }
  }
  REQUIRE(nets.size() == 4);
  data::Batch batch;
  batch.images = step["images"];
  const auto own = [&](const std::string& name) { return theirs.as_theirs(name, theirs.model.parameter(name).grad()); };
  // Gradients of file `from` whose names begin with `prefix`; how many.
  const auto compare_gradients = [&](const Golden& from, const std::string& prefix, double bound = kGradients) {
    int count = 0;
    for (const auto& each : from.tensors.values) {
      const std::string& name = each.first;
      if (!name.starts_with(prefix)) continue;
      ++count;
      CHECK_MESSAGE(relative(own(name.substr(prefix.size())), from[name]) < bound, name);
    }
    return count;
  };
  const auto run = [&](const std::string& tag, double smoothing) {
    theirs.model.zero_grad();
    train::SuperViTRecipe recipe(theirs.model, theirs.model.subnets(), smoothing, 0);
    const std::vector<double> expected = step[tag + ".losses"].to_vector();
    size_t term = 0;
    recipe.run(nets, batch, [&](const Subnet& subnet, const Tensor& loss) {
      CHECK(subnet.id == nets.at(term).id);
      CHECK(std::abs(loss.item() - expected.at(term)) < kLosses * std::max(1.0, expected[term]));
      loss.backward();
      ++term;
    });
    CHECK(term == 4);
  };
  const std::vector<int64_t>& labels = step.labels.at("targets.hard");
  batch.targets = Tensor::zeros({batch.images.size(0), theirs.config.classes});
  for (size_t i = 0; i < labels.size(); ++i) {
    batch.targets.mutable_data()[static_cast<int64_t>(i) * theirs.config.classes + labels[i]] = 1;
  }
  run("hard", 0.1);
  CHECK(compare_gradients(step, "hard.grad.") > 0);

  batch.targets = step["targets.soft"];
  for (size_t term = 0; term < 4; ++term) {  // each pass alone: a pass that is taught needs the one before it
    train::SuperViTRecipe recipe(theirs.model, theirs.model.subnets(), 0, 0);
    theirs.model.zero_grad();
    size_t pass = 0;
    recipe.run(nets, batch, [&](const Subnet&, const Tensor& loss) {
      if (pass++ == term) loss.backward();
    });
    // In float32, KL of nearly equal answers is a difference of nearly equal numbers.
    const bool close = step["soft.losses"].to_vector()[term] < 1e-3;
    CHECK(compare_gradients(step, concat("soft.term", term, ".grad."), close ? 1e-4 : kGradients) > 0);
  }
  run("soft", 0);
  CHECK(compare_gradients(gradients, "grad.") > 0);

  // Position tables whose size no pass used have no gradient, and stay as they are.
  const std::string unused = step.metadata.at("no_grad");
  for (const nn::Parameter& p : theirs.ours)
    CHECK((gradients.tensors.count("grad." + p.name) == 0) == (unused.find(p.name) != std::string::npos));
  const std::string decayed = step.metadata.at("decayed") + ",";
  for (const nn::Parameter& p : theirs.ours)
    CHECK_MESSAGE(p.decay == (decayed.find(p.name + ",") != std::string::npos), p.name);
  train::make_optimizer(theirs.ours, {})->step(1e-3, 1, {}, 0, train::live_parts(theirs.model, nets, false));
  for (const nn::Parameter& p : theirs.ours) {
    CAPTURE(p.name);
    const Tensor& expected = after["after." + p.name];
    const Tensor found = theirs.as_theirs(p.name, p.value);
    if (gradients.tensors.count("grad." + p.name) == 0) {
      CHECK(held_by(expected, found) == expected.to_vector());
      continue;
    }
    const UpdateError error = update_error(found, expected, gradients["grad." + p.name], 1e-3);
    CHECK(error.clear < kClearUpdate);
    CHECK(error.anywhere < kAnyUpdate);
    CHECK((error.share > 0.6 || p.name.ends_with(".qkv.bias")));
  }
}

}  // namespace

TEST_CASE("golden: SuperViT: resized images, logits, kept tokens and hidden states at every size and rate are the authors'") {
  if (have_golden("supervit")) compare_forward();
}

TEST_CASE("golden: SuperViT: losses, gradients and weights of the authors' step") {
  if (have_golden("supervit")) compare_step();
}

TEST_CASE("golden: SuperViT: no number of the authors is left uncompared") {
  if (!have_golden("supervit")) return;
  compare_forward();
  compare_step();
  CHECK(unread("supervit") == "");
}
