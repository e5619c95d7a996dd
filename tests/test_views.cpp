// Sizes and rates of tokens (models/token_axes.h): which subnetworks there are, what they cost, that each is the model that
// extract() gives, that positions are resized as images are, and that the choice of tokens is what a plain composition chooses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/autograd.h"
#include "core/parallel.h"
#include "models/hydravit.h"
#include "models/supervit.h"
#include "nn/losses.h"
#include "tests/error_of.h"
#include "tests/worse.h"

using namespace hv;
using namespace hv::models;
using test::error_of;

namespace {

// Two widths, three sizes of 4, 9 and 16 patches, two rates.
HydraViTConfig small(const std::string& positions = "tables") {
  HydraViTConfig c;
  c.image = 16;
  c.depth = 4;
  c.head_dim = 4;
  c.heads_min = 1;
  c.heads = 2;
  c.sizes = "8,12,16";
  c.keep = "0.5,1";
  c.prune = "1,2";
  c.positions = positions;
  return c;
}

Tensor pictures(int64_t count, int64_t side = 16) {
  Stream stream(3, Purpose::test);
  return Tensor::normal({count, 3, side, side}, 0, 1, stream);
}

// Away from the first weights, where a mistake could hide.
void disturb(const nn::Module& module) {
  const NoGrad off;
  Stream stream(4, Purpose::test);
  for (const nn::Parameter& p : module.parameters()) p.value.add_(Tensor::normal(p.value.shape(), 0, 0.2, stream));
}

// A model this small runs as fast on one thread, and on a busy machine much faster.
struct OneThread {
  OneThread() { set_num_threads(1); }
  ~OneThread() { set_num_threads(before); }
  int before = num_threads();
};

double apart(const Tensor& a, const Tensor& b) { return hv::max(abs(a - b)).item(); }

Config with(Config config, const std::string& name, const std::string& value) {
  config[name] = value;
  return config;
}

}  // namespace

TEST_CASE("views: 54 subnetworks of cifar, by width, size and rate; the last is the full model") {
  HydraViTConfig c = preset("cifar");
  c.sizes = "16,24,32";
  c.keep = "0.5,0.7,1";
  HydraViT model(c, 0);
  const std::vector<Subnet>& every = model.subnets();
  REQUIRE(every.size() == 54);
  for (size_t i = 0; i < every.size(); ++i) CHECK(every[i].id == static_cast<int64_t>(i));
  CHECK(every[0].name == "heads3-px16-keep0.5");
  CHECK(every[0].label == "heads=3,px=16,keep=0.5");
  CHECK(every[1].name == "heads3-px16-keep0.7");
  CHECK(every[9].name == "heads4-px16-keep0.5");
  CHECK(every[53].name == "heads8-px32-keep1");
  std::string axes;
  for (const Axis& axis : every[4].axes) axes += concat(axis.name, axis.chosen ? "=" : ":", axis.value, " ");
  CHECK(axes == "heads=3 px=24 keep=0.7 dim:96 ");
  // The full view costs what the model without views costs; and one axis alone is named alone.
  const std::vector<Cost> costs = costs_of(c);
  CHECK(costs.back().macs == mac_count(preset("cifar"), 8));
  CHECK(costs.back().params == parameter_count(preset("cifar"), 8));
  CHECK(all_params(costs) == parameter_count(preset("cifar"), 8) + (17 + 37) * 256);
  c.keep = "";
  CHECK(costs_of(c)[1].subnet.name == "heads3-px24");
  c.keep = "0.25,0.75";
  c.sizes = "";
  CHECK(costs_of(c)[1].subnet.name == "heads3-keep0.75");
  CHECK(costs_of(c)[1].subnet.axes[1].digits == 2);
}

// Lin et al., IJCV 2023: GMACs of SuperViT on DeiT-S, with T' = ceil(rate T) + 1 after each of three prunings.
TEST_CASE("views: the paper's shapes cost what is derived from its code") {
  const std::vector<Cost> costs = models::costs(named_model("supervit-deit", 1000));
  const std::vector<double> expected = {0.74, 0.97, 1.44, 1.16, 1.52, 2.27, 1.67, 2.19, 3.32, 2.30, 3.01, 4.60};
  REQUIRE(costs.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK_MESSAGE(std::abs(static_cast<double>(costs[i].macs) * 1e-9 - expected[i]) < 0.006, costs[i].subnet.name);
  }
  const SuperViTConfig c = supervit_from_config(named_model("supervit-deit", 1000));
  const auto tokens = [&](double rate) {
    std::vector<int64_t> counts;
    for (const TokenCounts& count : token_counts(c, {.width = c.width(), .heads = c.heads, .view = {224, rate}})) {
      if (counts.empty() || counts.back() != count.in) counts.push_back(count.in);
      if (counts.back() != count.out) counts.push_back(count.out);
    }
    return counts;
  };
  CHECK(tokens(0.5) == std::vector<int64_t>{197, 100, 51, 27});
  CHECK(tokens(0.7) == std::vector<int64_t>{197, 139, 99, 71});
  CHECK(tokens(1) == std::vector<int64_t>{197});
  // A rate just below 1 keeps all patches, never more; DIST stays beside CLS.
  CHECK(others_kept(10, 1, 0.99) == 9);
  CHECK(others_kept(10, 2, 0.5) == 5);
  CHECK(others_kept(2, 1, 0.01) == 1);
}

TEST_CASE("views: each is the extracted model, uses what it counts, and leaves the rest without a gradient") {
  const OneThread thread;
  for (const char* positions : {"tables", "resized"}) {
    HydraViT model(small(positions), 1);
    disturb(model);
    const Tensor images = pictures(3);
    const std::vector<int64_t> labels = {1, 2, 3};
    for (const Subnet& subnet : model.subnets()) {
      CAPTURE(positions);
      CAPTURE(subnet.name);
      model.zero_grad();
      const Tensor logits = model.forward(images, subnet);
      nn::CrossEntropy{}(logits, labels).backward();
      const auto alone = model.extract(subnet);
      REQUIRE(alone->subnets().size() == 1);
      CHECK(alone->subnets()[0].name == subnet.name);
      CHECK(apart(alone->forward(images, alone->subnets()[0]), logits) < 1e-5);
      CHECK(alone->macs(alone->subnets()[0]) == model.macs(subnet));
      CHECK(models::make_model(alone->config(), 0)->parameter_count() == alone->parameter_count());

      int64_t used = 0;
      const std::vector<Tensor> active = model.active(subnet);
      const std::vector<nn::Parameter> every = model.parameters();
      for (size_t i = 0; i < every.size(); ++i) {
        used += active[i].numel();
        const Tensor gradient = every[i].value.grad();
        if (active[i].numel() == 0) {
          CHECK((!gradient.defined() || hv::max(abs(gradient)).item() == 0));
          continue;
        }
        CHECK_MESSAGE(hv::max(abs(gradient)).item() > 0, every[i].name);
        // Nothing outside the part: its squares are all squares.
        const Tensor own = active[i].grad();
        CHECK(sum(own * own).item() == doctest::Approx(sum(gradient * gradient).item()));
      }
      CHECK(used == model.params(subnet));
      const Tensor flow = model.rollout(images, subnet);
      for (const double share : sum(flow, {1, 2}).to_vector()) CHECK(share == doctest::Approx(1));
    }
  }
}

TEST_CASE("views: full images and all tokens are the model without views, bit for bit") {
  const OneThread thread;
  HydraViTConfig plain = small();
  plain.sizes = plain.keep = "";
  HydraViT without(plain, 1), with_views(small("resized"), 1);
  const Tensor images = pictures(2);
  for (const int64_t heads : {1, 2}) {
    CHECK(without.forward(images, heads).to_vector() == with_views.forward(images, heads).to_vector());
  }
  CHECK(to_config(plain).count("sizes") == 0);  // a configuration of before
}

TEST_CASE("views: positions of a smaller size are the table's, resized as images are") {
  const OneThread thread;
  HydraViT model(small("resized"), 1);
  disturb(model);
  const Tensor table = model.parameter("pos_embed")(0);  // [17, E]
  for (const int64_t side : {2, 3}) {
    const Tensor grid = table.slice(0, 1, 17).view({4, 4, 8}).permute({2, 0, 1}).unsqueeze(0);  // [1, E, 4, 4]
    const Tensor resized = resize_bilinear(grid, side, side, true).permute({0, 2, 3, 1}).reshape({side * side, 8});
    const Tensor expected = cat({table.slice(0, 0, 1), resized}, 0);
    const auto alone = model.extract(model.subnets()[static_cast<size_t>(6 + 2 * (side - 2) + 1)]);
    CHECK(apart(alone->parameter("pos_embed")(0), expected) < 1e-6);
  }
}

TEST_CASE("prune: a block goes on with what CLS attends to most, as a plain composition does") {
  const OneThread thread;
  nn::Init init("trunc_normal", 1);
  nn::Block block({.width = 12, .heads = {.size = 4}, .hidden = 24, .drop_path = 0}, init);
  disturb(block);
  Stream stream(5, Purpose::test);
  const Tensor x = Tensor::normal({2, 9, 12}, 0, 1, stream).requires_grad_();
  for (const int64_t first : {1, 2}) {
    std::vector<int64_t> picked;
    const Tensor y = block.prune(x, first, 3, &picked);
    CHECK(y.shape() == Shape{2, first + 3, 12});
    const Tensor every = block.forward(x), scores = mean(block.attention(x), {1}).select(1, 0);  // [B, T]
    for (int64_t b = 0; b < 2; ++b) {
      const std::vector<double> score = scores.select(0, b).to_vector();
      std::vector<int64_t> order;
      for (int64_t t = first; t < 9; ++t) order.push_back(t);
      std::stable_sort(order.begin(), order.end(),
                       [&](int64_t i, int64_t j) { return score[static_cast<size_t>(i)] > score[static_cast<size_t>(j)]; });
      for (int64_t i = 0; i < first + 3; ++i) {
        const int64_t expected = i < first ? i : order[static_cast<size_t>(i - first)];
        CHECK(picked[static_cast<size_t>(b * (first + 3) + i)] == expected);
        CHECK(apart(y(b, i), every(b, expected)) < 1e-5);
      }
    }
    // Gradients of x and of all weights: those of gathering afterwards.
    const Tensor weight = Tensor::normal(y.shape(), 0, 1, stream);
    const auto gradients = [&](const Tensor& result) {
      block.zero_grad();
      x.zero_grad();
      sum(result * weight).backward();
      std::vector<Tensor> of = {x.grad().clone()};
      for (const nn::Parameter& p : block.parameters()) of.push_back(p.value.grad().clone());
      return of;
    };
    const std::vector<Tensor> found = gradients(y), expected = gradients(gather_tokens(every, picked, first + 3));
    for (size_t i = 0; i < found.size(); ++i) CHECK(apart(found[i], expected[i]) < 1e-4);
  }
}

TEST_CASE("views: what is left after each pruning are the best patches of those before") {
  const OneThread thread;
  SuperViTConfig c;
  c.image = 16;
  c.depth = 4;
  c.heads = 2;
  c.head_dim = 4;
  c.sizes = "8,16";
  c.keep = "0.5,1";
  c.prune = "0,2,3";
  SuperViT model(c, 1);
  disturb(model);
  const Tensor images = pictures(3);
  for (const Subnet& subnet : model.subnets()) {
    const auto alone = model.extract(subnet);
    CHECK(alone->subnets()[0].name == subnet.name);
    CHECK(apart(alone->forward(images, alone->subnets()[0]), model.forward(images, subnet)) < 1e-5);
    const std::vector<Tensor> left = model.survivors(images, subnet);
    if (subnet.axes[1].value == 1) {
      CHECK(left.empty());
      continue;
    }
    const bool large = subnet.axes[0].value == 16;
    const std::vector<double> expected = large ? std::vector<double>{9, 5, 3} : std::vector<double>{3, 2, 2};
    REQUIRE(left.size() == 3);
    Tensor before;
    for (size_t i = 0; i < 3; ++i) {
      CHECK(left[i].shape() == (large ? Shape{3, 4, 4} : Shape{3, 2, 2}));
      for (const double count : sum(left[i], {1, 2}).to_vector()) CHECK(count == expected[i]);
      if (before.defined()) CHECK(hv::max(left[i] - before).item() <= 0);  // nothing comes back
      before = left[i];
    }
  }
}

TEST_CASE("views: any number of threads computes and chooses the same bits") {
  HydraViT model(small(), 1);
  disturb(model);
  const Tensor images = pictures(5);
  const int before = num_threads();
  for (const Subnet& subnet : model.subnets()) {
    set_num_threads(1);
    const std::vector<double> one = model.forward(images, subnet).to_vector();
    set_num_threads(3);
    CHECK(model.forward(images, subnet).to_vector() == one);
  }
  set_num_threads(before);
}

TEST_CASE("views: what is wrong in a configuration is told in one line") {
  const Config hydra = to_config(small()), super = named_model("supervit-nano", 10);
  const auto told = [](const Config& config) { return error_of([&] { models::costs(config); }); };
  CHECK(told(hydra) == "no error");
  CHECK(told(with(hydra, "sizes", "8,10,16")) == "model: sizes: the patch must divide the image: 4 and 10");
  CHECK(told(with(hydra, "sizes", "16,8")) ==
        "model: sizes: '16,8' is no list of image sizes; expected rising numbers from 1 to 16, as 16,24,32");
  for (const char* sizes : {"8,", "8;16", "32", "0", "-8", "8,8", "8.5", ",", "nan"}) {
    CHECK_MESSAGE(told(with(hydra, "sizes", sizes)).starts_with(concat("model: sizes: '", sizes, "' is no list")), sizes);
  }
  for (const char* keep : {"1.5", "-0.5", "1,0.5", "nan", "inf", "0.5,0.5", "x", "0.5,"}) {
    CHECK_MESSAGE(told(with(hydra, "keep", keep)) == concat("model: keep: '", keep,
                                                            "' is no list of rates; expected rising "
                                                            "numbers from 0 to 1, as 0.5,0.7,1"),
                  keep);
  }
  CHECK(told(with(hydra, "keep", "0,1")) == "model: keep: a rate of 0 keeps no tokens; expected rates above 0, up to 1");
  CHECK(told(with(hydra, "prune", "1,4")) ==
        "model: prune: '1,4' is no list of blocks; expected rising numbers from 0 to 3, as 3,6,9");
  CHECK(told(with(hydra, "positions", "learned")) == "model: positions: expected tables or resized, found 'learned'");
  CHECK(told(with(super, "classifiers", "own")).starts_with("model: classifiers: expected shared"));
  CHECK(told(with(named_model("thinking-nano", 10), "sizes", "16,32")) ==
        "model: an entry this version does not know: 'sizes'");
  std::string many = "0.001";
  for (int i = 2; i < 70; ++i) many += concat(",", i * 0.001);
  CHECK(told(with(hydra, "keep", many)) ==
        "model: sizes: 3 sizes with 69 rates are 207 subnetworks of a width, at most 64 are accepted");
  HydraViT model(small(), 0);
  CHECK(error_of([&] { model.forward(pictures(1, 12), model.subnets()[0]); }) ==
        "hydravit: images [1, 3, 12, 12], expected [B, 3, 16, 16]");
}
