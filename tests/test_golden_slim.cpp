// ViT-Slim against the authors' own numbers: masked logits and hidden states, L1 terms, the search step; thresholds, masks and
// logits of five cuts, and the gradients of a cut model.
#include <doctest/doctest.h>

#include "models/slim_search.h"
#include "tests/golden.h"
#include "train/optim/optimizer.h"
#include "train/recipes/slim.h"

using namespace hv;
using namespace hv::test;
using models::SlimPlan;
using models::SlimSearch;
using models::SlimSearchConfig;

namespace {

SlimSearchConfig config_of(const Golden& weights, const std::string& attention) {
  SlimSearchConfig c;
  c.image = weights.whole("image");
  c.patch = weights.whole("patch");
  c.channels = weights.whole("channels");
  c.depth = weights.whole("depth");
  c.heads = weights.whole("heads");
  c.head_dim = weights.whole("embed") / c.heads;
  c.mlp_ratio = weights.whole("mlp_ratio");
  c.classes = weights.whole("classes");
  c.attention = attention;
  return c;
}

// A model with weights of theirs, and our tensors as theirs lie: qkv rows as [q; k; v], ours head by head.
struct Theirs {
  Golden weights{"vitslim/weights"};
  SlimSearchConfig config;
  SlimSearch model;
  std::vector<nn::Parameter> ours;

  explicit Theirs(const std::string& attention = "head-dims") : config(config_of(weights, attention)), model(config) {
    const NoGrad off;
    ours = model.parameters();
    for (const nn::Parameter& p : ours) {
      if (p.name.ends_with("attn.zeta") && attention != "head-dims") continue;
      const Tensor view = as_theirs(p.name, p.value);
      view.copy_(weights[p.name].view(view.shape()));
    }
  }
  Tensor as_theirs(const std::string& name, const Tensor& value) const {
    if (name.find(".qkv.") == std::string::npos) return value;
    return value.view({config.heads, 3, config.head_dim, -1}).permute({1, 0, 2, 3});
  }
  Tensor forward(const Tensor& images) { return model.forward(images, model.subnets()[0]); }
};

// The plain sums of absolute values, per family.
std::vector<double> l1_of(SlimSearch& model) {
  std::vector<double> sums;
  for (const train::SlimOptions& one :
       {train::SlimOptions{1, 0, 0}, train::SlimOptions{0, 1, 0}, train::SlimOptions{0, 0, 1}}) {
    sums.push_back(train::SlimRecipe(model, one, 0).penalty().item());
  }
  return sums;
}

void compare_forward() {
  if (!first_time("vitslim forward")) return;
  const Golden forward("vitslim/forward");
  Theirs theirs;
  const NoGrad off;
  const Tensor& images = forward["images"];
  CHECK(relative(theirs.forward(images), forward["logits.masked"]) < kLogits);
  const std::vector<Tensor> hidden = theirs.model.hidden(images.slice(0, 0, 1));
  CHECK(relative(hidden[0], forward["hidden.masked.embedding"]) < kLogits);
  for (int64_t i = 0; i < theirs.config.depth; ++i) {
    CHECK(relative(hidden[static_cast<size_t>(i) + 1], forward[concat("hidden.masked.block", i)]) < kLogits);
  }
  const std::vector<double> l1 = l1_of(theirs.model);
  CHECK(l1[0] == doctest::Approx(forward["l1.attn"].item()).epsilon(1e-6));
  CHECK(l1[1] == doctest::Approx(forward["l1.mlp"].item()).epsilon(1e-6));
  CHECK(l1[2] == doctest::Approx(forward["l1.patch"].item()).epsilon(1e-6));

  // Masks on fewer things: a number per head, or the same dimensions in all heads of a block.
  for (const auto& [search, attention] : {std::pair{"head_search", "heads"}, {"uniform_search", "shared"}}) {
    const std::string name = search;
    CAPTURE(name);
    Theirs other(attention);
    for (const nn::Parameter& p : other.ours) {
      if (p.name.ends_with("zeta")) p.value.copy_(forward[concat(name, ".", p.name)]);
    }
    CHECK(relative(other.forward(images), forward[concat(name, ".logits")]) < kLogits);
    const std::vector<double> sums = l1_of(other.model), expected = forward[concat(name, ".l1")].to_vector();
    for (size_t f = 0; f < 3; ++f) CHECK(sums[f] == doctest::Approx(expected[f]).epsilon(1e-6));
  }

  // As they begin; and without masks, which is a model that has none, too.
  for (const nn::Parameter& p : theirs.ours) {
    if (p.name.ends_with("zeta")) p.value.fill_(p.name.ends_with("patch_zeta") ? 3 : 1);
  }
  CHECK(relative(theirs.forward(images), forward["logits.initial_masks"]) < kLogits);
  SlimSearchConfig c = theirs.config;
  c.masks = "mlp";
  SlimSearch bare(c);
  for (const nn::Parameter& p : bare.parameters()) {
    if (!p.name.ends_with("zeta")) p.value.copy_(theirs.model.parameter(p.name));
  }
  CHECK(relative(bare.forward(images, bare.subnets()[0]), forward["logits.no_masks"]) < kLogits);
}

void compare_cuts() {
  if (!first_time("vitslim cuts")) return;
  const Golden forward("vitslim/forward");
  Theirs theirs;
  const SlimSearchConfig& c = theirs.config;
  models::SlimConfig uncut = theirs.model.uncut();
  uncut.tokens_by = "masked";
  int budgets = 0;
  for (const auto& each : forward.tensors.values) {
    const std::string& name = each.first;
    models::SlimBudget budget;
    if (!name.ends_with(".thresholds")) continue;
    REQUIRE(std::sscanf(name.c_str(), "compressed.%lf_%lf_%lf", &budget.attention, &budget.mlp, &budget.tokens) == 3);
    ++budgets;
    CAPTURE(name);
    const std::string at = name.substr(0, name.rfind('.') + 1);
    const SlimPlan plan = plan_cut(uncut, c.heads, theirs.model.masks(), {budget}, {1});
    const std::vector<double> expected = forward[name].to_vector();
    CHECK(std::abs(plan.thresholds[0].attention - expected[0]) < 1e-7);
    CHECK(std::abs(plan.thresholds[0].mlp - expected[1]) < 1e-7);  // theirs for tokens is always 0
    const std::vector<int64_t> lives = plan.config.lives();
    double kept[3] = {};
    for (int64_t i = 0; i < c.depth; ++i) {
      const std::string block = at + concat("blocks.", i, ".");
      const auto in = static_cast<size_t>(i);
      std::vector<int64_t> dims(static_cast<size_t>(c.width()), 0), units(static_cast<size_t>(c.mlp_ratio * c.width()), 0),
          alive;
      for (int64_t h = 0; h < c.heads; ++h) {
        for (const int64_t k : plan.dims[in][static_cast<size_t>(h)]) dims[static_cast<size_t>(h * c.head_dim + k)] = 1;
      }
      for (const int64_t k : plan.units[in]) units[static_cast<size_t>(k)] = 1;
      for (const int64_t life : lives) alive.push_back(life > i ? 1 : 0);
      CHECK(dims == forward.labels.at(block + "attn.zeta01"));
      CHECK(units == forward.labels.at(block + "mlp.zeta01"));
      CHECK(alive == forward.labels.at(block + "attn.patch_zeta01"));
      for (const int64_t bit : dims) kept[0] += static_cast<double>(bit);
      for (const int64_t bit : units) kept[1] += static_cast<double>(bit);
      for (const int64_t bit : alive) kept[2] += static_cast<double>(bit);
    }
    // Theirs divide the sum over tokens, CLS included, by the number of patches.
    const double of[3] = {static_cast<double>(c.depth * c.width()), static_cast<double>(c.depth * c.mlp_ratio * c.width()),
                          static_cast<double>(c.depth * c.patches())};
    const std::vector<double> remaining = forward[at + "remaining"].to_vector();
    for (size_t f = 0; f < 3; ++f) CHECK(kept[f] / of[f] == doctest::Approx(remaining[f]).epsilon(1e-6));
    // Their counts follow other conventions: CLS counts as a token of the masks, not of the total.
    const std::vector<double> params = forward[at + "params_authors"].to_vector(),
                              flops = forward[at + "flops_authors"].to_vector();
    CHECK(params[1] <= params[0]);
    CHECK(flops[1] <= 1.02 * flops[0]);
    const auto slim = cut(plan, theirs.model);
    const NoGrad off;
    CHECK(relative(slim->forward(forward["images"], slim->subnets()[0]), forward[at + "logits"]) < kLogits);
  }
  CHECK(budgets == 5);
}

// Retraining with fixed masks: the gradients of the cut model are theirs of what is left.
void compare_retraining() {
  if (!first_time("vitslim retraining")) return;
  const Golden retrain("vitslim/retrain"), step("vitslim/step");
  Theirs theirs;
  const SlimSearchConfig& c = theirs.config;
  models::SlimConfig uncut = theirs.model.uncut();
  uncut.tokens_by = "masked";
  const SlimPlan plan = plan_cut(uncut, c.heads, theirs.model.masks(), {{0.7, 0.7, 0.7}}, {1});
  const auto slim = cut(plan, theirs.model);
  const Tensor loss = cross_entropy(slim->forward(step["images"], slim->subnets()[0]), step["targets.soft"]);
  CHECK(deviation(loss, retrain["loss"]) < kLosses);
  loss.backward();
  const NoGrad off;
  for (const nn::Parameter& p : slim->parameters()) {
    CAPTURE(p.name);
    // As theirs lies: what was cut has no gradient there.
    Tensor whole = Tensor::zeros(theirs.model.parameter(p.name).shape());
    std::vector<int64_t> rows, columns;
    int64_t block = 0;
    if (std::sscanf(p.name.c_str(), "blocks.%ld", &block) == 1) {
      const auto i = static_cast<size_t>(block);
      for (int64_t h = 0; h < c.heads; ++h) {
        const std::vector<int64_t>& dims = plan.dims[i][static_cast<size_t>(h)];
        for (int64_t which = 0; which < 3; ++which) {
          for (const int64_t k : dims) rows.push_back(which * c.width() + h * c.head_dim + k);
        }
        for (const int64_t k : dims) columns.push_back(h * c.head_dim + k);
      }
      if (p.name.find(".fc1.") != std::string::npos) rows = plan.units[i];
      if (p.name.ends_with("fc2.weight")) columns = plan.units[i];
    }
    const bool by_row = p.name.find(".qkv.") != std::string::npos || p.name.find(".fc1.") != std::string::npos;
    const bool by_column = p.name.ends_with("attn.proj.weight") || p.name.ends_with("fc2.weight");
    const Tensor gradient = p.value.grad();
    if (!by_row && !by_column) whole.copy_(gradient);
    for (size_t k = 0; by_row && k < rows.size(); ++k) {
      whole.slice(0, rows[k], rows[k] + 1).copy_(gradient.slice(0, static_cast<int64_t>(k), static_cast<int64_t>(k) + 1));
    }
    for (size_t k = 0; by_column && k < columns.size(); ++k) {
      whole.select(1, columns[k]).copy_(gradient.select(1, static_cast<int64_t>(k)));
    }
    CHECK(relative(whole, retrain["grad." + p.name]) < kGradients);
  }
}

void compare_step() {
  if (!first_time("vitslim step")) return;
  const Golden step("vitslim/step"), gradients("vitslim/step_grad"), after("vitslim/step_after");
  Theirs theirs;
  data::Batch batch;
  batch.images = step["images"];
  const std::vector<double> w = step["w"].to_vector(), big = step["bigw.w"].to_vector();
  const auto run = [&](const std::vector<double>& weights, double smoothing) {
    theirs.model.zero_grad();
    train::SlimRecipe recipe(theirs.model, {weights[0], weights[1], weights[2]}, smoothing);
    Tensor loss;
    recipe.passes(batch, 0, [&](const models::Subnet&, const Tensor& own) { (loss = own).backward(); });
    return std::pair{loss, recipe.penalty()};
  };
  const auto compare_gradients = [&](const Golden& from, const std::string& prefix) {
    int count = 0;
    for (const auto& each : from.tensors.values) {
      const std::string& name = each.first;
      if (!name.starts_with(prefix)) continue;
      ++count;
      const std::string own = name.substr(prefix.size());
      CHECK_MESSAGE(relative(theirs.as_theirs(own, theirs.model.parameter(own).grad()), from[name]) < kGradients, name);
    }
    return count;
  };
  const std::vector<int64_t>& labels = step.labels.at("targets.hard");
  batch.targets = Tensor::zeros({batch.images.size(0), theirs.config.classes});
  for (size_t i = 0; i < labels.size(); ++i) {
    batch.targets.mutable_data()[static_cast<int64_t>(i) * theirs.config.classes + labels[i]] = 1;
  }
  const auto [hard, hard_penalty] = run(w, 0.1);
  CHECK(deviation(hard, step["hard.loss"]) < kLosses);
  CHECK(deviation(hard - hard_penalty, step["hard.base"]) < kLosses);
  CHECK(compare_gradients(step, "hard.grad.") > 0);

  batch.targets = step["targets.soft"];
  const auto bigger = run(big, 0);
  CHECK(deviation(bigger.first, step["bigw.loss"]) < kLosses);
  CHECK(compare_gradients(step, "bigw.grad.") == 3 * theirs.config.depth);

  const auto [soft, penalty] = run(w, 0);
  CHECK(deviation(soft, step["soft.loss"]) < kLosses);
  CHECK(deviation(soft - penalty, step["soft.base"]) < kLosses);
  const std::vector<double> l1 = l1_of(theirs.model), expected_l1 = step["soft.l1"].to_vector();
  for (size_t f = 0; f < 3; ++f) CHECK(l1[f] == doctest::Approx(expected_l1[f]).epsilon(1e-6));
  CHECK(compare_gradients(gradients, "grad.") == std::ssize(theirs.ours));

  const std::string decayed = step.metadata.at("decayed") + ",";
  for (const nn::Parameter& p : theirs.ours)
    CHECK_MESSAGE(p.decay == (decayed.find(p.name + ",") != std::string::npos), p.name);
  train::OptimizerConfig adamw;
  adamw.weight_decay = 1e-3;
  train::make_optimizer(theirs.ours, adamw)->step(5e-4, 1);
  for (const nn::Parameter& p : theirs.ours) {
    CAPTURE(p.name);
    const Tensor found = theirs.as_theirs(p.name, p.value);
    // Softmax does not see the bias of k: its gradient is rounding noise, which may come out as exactly 0.
    const bool noise = p.name.ends_with("qkv.bias");
    const Tensor gradient = noise ? gradients["grad." + p.name] + 1e-9 : gradients["grad." + p.name];
    const UpdateError error = update_error(found, after["after." + p.name], gradient, 5e-4);
    CHECK(error.clear < kClearUpdate);
    CHECK(error.anywhere < kAnyUpdate);
    CHECK((error.share > 0.6 || noise || p.name.ends_with("zeta")));
  }
}

}  // namespace

TEST_CASE("golden: ViT-Slim: masked logits, hidden states and L1 terms are the authors'") {
  if (have_golden("vitslim")) compare_forward();
}

TEST_CASE("golden: ViT-Slim: thresholds, masks and logits of five cuts are the authors'") {
  if (have_golden("vitslim")) compare_cuts();
}

TEST_CASE("golden: ViT-Slim: a cut model has the authors' gradients") {
  if (have_golden("vitslim")) compare_retraining();
}

TEST_CASE("golden: ViT-Slim: loss, gradients and weights of the authors' search step") {
  if (have_golden("vitslim")) compare_step();
}

TEST_CASE("golden: ViT-Slim: no number of the authors is left uncompared") {
  if (!have_golden("vitslim")) return;
  compare_forward();
  compare_cuts();
  compare_retraining();
  compare_step();
  CHECK(unread("vitslim") == "");
}
