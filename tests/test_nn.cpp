// Modules, layers, initialisation, noise.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

#include "core/parallel.h"
#include "nn/init.h"
#include "nn/losses.h"
#include "nn/part.h"
#include "nn/transformer.h"
#include "tests/worse.h"

using namespace hv;
using namespace hv::nn;

namespace {

Tensor random_tensor(const Shape& shape, uint64_t index = 0) {
  Stream stream(7, Purpose::test, 0, index);
  return Tensor::normal(shape, 0, 1, stream);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i) most = test::worse(most, std::abs(x[i] - y[i]));
  return most;
}

// Gains, biases and scales away from 0 and 1, where mistakes could hide.
void disturb(const Module& module) {
  NoGrad off;
  uint64_t index = 100;
  for (const Parameter& p : module.parameters()) p.value.add_(random_tensor(p.value.shape(), index++), 0.1);
}

BlockConfig small_block() {  // 3 heads of 8
  return {.width = 24, .heads = {.size = 8}, .hidden = 48, .elastic = Elastic::both};
}

struct Fixed {  // noise in training mode, at a fixed step
  explicit Fixed(uint64_t step) : scope(5, step) {}
  NoiseScope scope;
};

}  // namespace

TEST_CASE("module: names as in timm, parents first, one total") {
  Init init("trunc_normal", 0);
  const Block block(small_block(), init);
  std::vector<std::string> names;
  for (const Parameter& p : block.parameters()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight",
                                          "attn.proj.bias", "norm2.weight", "norm2.bias", "mlp.fc1.weight", "mlp.fc1.bias",
                                          "mlp.fc2.weight", "mlp.fc2.bias"});
  for (const Parameter& p : block.parameters()) CHECK_MESSAGE(p.decay == (p.value.rank() == 2), p.name);
  CHECK(block.parameter("attn.qkv.weight").shape() == Shape{72, 24});
  CHECK_THROWS_WITH_AS(block.parameter("attn.q"), "module: no parameter named 'attn.q'; summary() lists them", Error);
  CHECK(block.parameter_count() == 4 * 24 * 24 + 4 * 24 + 2 * 24 * 48 + 48 + 24 + 4 * 24);

  const Linear linear(3, 2, init);
  CHECK(linear.summary() ==
        "weight                            [2, 3]                         6\n"
        "bias                              [2]                            2\n"
        "total                                                            8\n");
}

TEST_CASE("module: training mode reaches every child") {
  Init init("trunc_normal", 0);
  BlockConfig config = small_block();
  config.dropout = 0.5;
  Block block(config, init);
  const Tensor x = random_tensor({2, 5, 24});
  block.eval();
  const Tensor still = block.forward(x);  // without a scope: nothing is drawn
  CHECK(largest_difference(block.forward(x), still) == 0);
  block.train();
  const Fixed noise(0);
  CHECK(largest_difference(block.forward(x), still) > 0.01);
}

TEST_CASE("noise: a function of seed, step and place in the pass") {
  Dropout drop(0.5);
  const Tensor x = Tensor::ones({1000});
  const auto at_step = [&](uint64_t step) {
    const Fixed noise(step);
    return drop(x);
  };
  CHECK(largest_difference(at_step(3), at_step(3)) == 0);
  CHECK(largest_difference(at_step(3), at_step(4)) == 2);
  const NoiseScope outer(5, 3);
  const Tensor first = drop(x);
  {
    const NoiseScope inner(9, 9);  // another model, in between
    drop(x);
  }
  const Tensor second = drop(x);
  CHECK(largest_difference(first, at_step(3)) == 0);
  CHECK(largest_difference(first, second) == 2);  // the next draw, not the same again
  CHECK(next_noise_key().index == 2);
}

TEST_CASE("noise: what needs a seed says so; probabilities are checked") {
  const Dropout drop(0.1);
  CHECK_THROWS_WITH_AS(
      drop(Tensor::ones({2})),
      "dropout: no NoiseScope is alive, so there is no seed to draw from: make one for each step, or call eval()", Error);
  CHECK_THROWS_WITH_AS(Dropout(1.0), "dropout: a probability in [0, 1) is needed, found 1", Error);
  CHECK_THROWS_WITH_AS(DropPath(-0.5), "drop_path: a probability in [0, 1) is needed, found -0.5", Error);
}

TEST_CASE("noise: where none is drawn, training gives what evaluation does, residuals and all") {
  for (const bool path : {false, true}) {
    Init init("reference", 0);
    BlockConfig config = small_block();
    (path ? config.drop_path : config.dropout) = 1e-9;  // active, but nothing is dropped
    Block block(config, init);
    const Tensor x = random_tensor({2, 5, 24});
    block.eval();
    const Tensor still = block.forward(x);
    block.train();
    const Fixed noise(0);
    CHECK(largest_difference(block.forward(x), still) < 1e-5);
  }
}

TEST_CASE("drop path: a dropped branch leaves the image as it was") {
  Init init("reference", 0);
  BlockConfig config = small_block();
  config.drop_path = 0.5;
  Block block(config, init);
  const Tensor x = random_tensor({64, 2, 24});
  const Fixed noise(0);
  const Tensor y = block.forward(x);
  int untouched = 0;
  for (int b = 0; b < 64; ++b) untouched += largest_difference(y.select(0, b), x.select(0, b)) == 0;
  CHECK(untouched > 6);  // both branches dropped: 16 of 64 expected
  CHECK(untouched < 28);
}

TEST_CASE("linear: strict as built; elastic, the leading rectangle for the width at hand") {
  Init init("reference", 0);
  const Linear strict(4, 8, init), elastic(8, 16, init, Elastic::both), head(8, 3, init, Elastic::in);
  const Tensor x = random_tensor({5, 4});
  const Tensor w = elastic.parameter("weight"), b = elastic.parameter("bias");
  const Tensor expected = matmul(x, w(Range{0, 8}, Range{0, 4}).transpose(0, 1)) + b(Range{0, 8});
  CHECK(largest_difference(elastic(x), expected) < 1e-5);
  const Tensor classes = matmul(x, head.parameter("weight")(all, Range{0, 4}).transpose(0, 1)) + head.parameter("bias");
  CHECK(largest_difference(head(x), classes) < 1e-5);
  CHECK(strict(x).shape() == Shape{5, 8});
  CHECK(Tensor(strict(Tensor::zeros({0, 4}))).shape() == Shape{0, 8});
  CHECK_THROWS_WITH_AS(strict(random_tensor({2, 3})), "linear: input [2, 3] for a weight of [8, 4], which is not elastic",
                       Error);
  CHECK_THROWS_WITH_AS(strict(random_tensor({2, 5})), "linear: input [2, 5] for a weight of [8, 4], which is not elastic",
                       Error);
  CHECK_THROWS_WITH_AS(elastic(random_tensor({2, 9})), "linear: input [2, 9] for a weight of [16, 8]", Error);
  CHECK_THROWS_WITH_AS(elastic(Tensor::scalar(1)), "linear: input [] for a weight of [16, 8]", Error);
  const Linear uneven(4, 6, init, Elastic::both);
  CHECK_THROWS_WITH_AS(uneven(random_tensor({2, 3})),
                       "live: width 3 of 4 is no whole number of entries in dimension 0 of 'weight' [6, 4]", Error);
}

TEST_CASE("layer norm: over the channels at hand, alone and in one operation with the layer that follows") {
  Init init("reference", 0);
  const LayerNorm norm(8, Elastic::both), strict(8);
  const Linear next(8, 6, init, Elastic::in);
  disturb(norm);
  const Tensor x = random_tensor({2, 3, 4}) * 2 + 1;
  const Tensor mean = sum(x, {-1}, true) / 4, centred = x - mean;
  const Tensor expected =
      centred / sqrt(sum(centred * centred, {-1}, true) / 4 + 1e-6) * norm.parameter("weight").slice(0, 0, 4) +
      norm.parameter("bias").slice(0, 0, 4);
  CHECK(largest_difference(norm(x), expected) < 1e-5);
  CHECK(largest_difference(next(norm(x)), next(expected)) < 1e-5);
  CHECK_THROWS_WITH_AS(strict(random_tensor({2, 3})), "layer_norm: input [2, 3] for a weight of [8], which is not elastic",
                       Error);
  CHECK_THROWS_WITH_AS(norm(random_tensor({2, 9})), "layer_norm: input [2, 9] for a weight of [8]", Error);
}

TEST_CASE("layer scale: gamma for the width at hand; start 0 makes no parameter and changes nothing") {
  const LayerScale scale(4, 0.5, Elastic::both), strict(4, 0.5), none(4, 0);
  const Tensor x = random_tensor({3, 2});
  CHECK(largest_difference(scale(x), x * 0.5) == 0);
  CHECK(none.parameters().empty());
  CHECK(Tensor(none(x)).shared() == x.shared());
  CHECK_THROWS_WITH_AS(strict(x), "layer_scale: input [3, 2] for a gamma of [4], which is not elastic", Error);
}

TEST_CASE("part: leading or trailing entries, a leaf view whose gradient lies in the parameter's") {
  const Tensor w = random_tensor({6, 4}).requires_grad_(), seed = random_tensor({3, 2}, 1);
  const auto rectangle = [&] { return part(part(w, 0, 3), 1, 2); };
  const int64_t nodes = live_nodes();
  for (const bool trailing : {false, true}) {
    CAPTURE(trailing);
    const Range rows{trailing ? 3 : 0, trailing ? 6 : 3}, columns{trailing ? 2 : 0, trailing ? 4 : 2};
    w.zero_grad();
    Tensor view;
    {
      const TrailingParts scope(trailing);
      view = rectangle();
    }
    CHECK(view.requires_grad());
    CHECK(live_nodes() == nodes);
    CHECK(largest_difference(view.detach(), w.detach()(rows, columns)) == 0);
    sum(view * seed).backward();
    CHECK(largest_difference(w.grad()(rows, columns), seed) == 0);
    CHECK(sum(abs(w.grad())).item() == sum(abs(seed)).item());
  }
  CHECK(part(w, -1, 4).shared() == w.shared());  // the whole is the parameter itself
}

TEST_CASE("part: scopes nest, for one thread; empty parts; errors") {
  const Tensor w = Tensor::arange(5);
  const auto first = [&] { return part(w, 0, 2).at({0}); };
  CHECK(first() == 0);
  {
    const TrailingParts outer;
    CHECK(first() == 3);
    {
      const TrailingParts off(false);
      CHECK(first() == 0);
      const TrailingParts inner;
      CHECK(first() == 3);
    }
    CHECK(first() == 3);
    Real elsewhere = -1;
    std::thread([&] { elsewhere = first(); }).join();
    CHECK(elsewhere == 0);
    CHECK(part(w, 0, 0).shape() == Shape{0});
  }
  CHECK(first() == 0);
  CHECK(part(w, 0, 0).shape() == Shape{0});
  CHECK(part(random_tensor({3, 4}), 1, 0).shape() == Shape{3, 0});
  CHECK_THROWS_WITH_AS(part(w, 0, 6), "part: 6 entries of dimension 0 of [5]", Error);
  CHECK_THROWS_WITH_AS(part(w, 0, -1), "part: -1 entries of dimension 0 of [5]", Error);
  CHECK_THROWS_AS(part(w, 1, 1), Error);
}

TEST_CASE("live: the elastic dimensions shrink in proportion, the others stay") {
  const Parameter p{"w", random_tensor({6, 4, 3}).requires_grad_(), {true, true, false}};
  CHECK(live(p, 2, 4).shape() == Shape{3, 2, 3});
  CHECK(live(p, 4, 4).shared() == p.value.shared());
  CHECK(live({"fixed", p.value, {}}, 1, 4).shared() == p.value.shared());
  const TrailingParts scope;
  CHECK(largest_difference(live(p, 2, 4), p.value(Range{3, 6}, Range{2, 4})) == 0);
  CHECK_THROWS_WITH_AS(live(p, 5, 4), "live: width 5 of 'w' is not in 1 to 4", Error);
  CHECK_THROWS_WITH_AS(live(p, 0, 4), "live: width 0 of 'w' is not in 1 to 4", Error);
  CHECK_THROWS_WITH_AS(live(p, 1, 4), "live: width 1 of 4 is no whole number of entries in dimension 0 of 'w' [6, 4, 3]",
                       Error);
}

TEST_CASE("fusion: each expression is one operation, equal to its parts") {
  Init init("reference", 0);
  const LayerNorm norm(6);
  const Linear fc1(6, 8, init), fc2(8, 6, init);
  for (const Module* m : std::vector<const Module*>{&norm, &fc1, &fc2}) disturb(*m);
  const auto w = [](const Linear& layer) { return layer.parameter("weight"); };
  const auto b = [](const Linear& layer) { return layer.parameter("bias"); };
  const Tensor x = random_tensor({5, 6}), h = random_tensor({5, 8}, 1), r = random_tensor({5, 6}, 2);
  const Tensor n = layer_norm(x, norm.parameter("weight"), norm.parameter("bias"));
  const Tensor row = random_tensor({1, 6}, 3);
  const struct {
    const char* name;
    std::function<Tensor()> fused;
    Tensor expected;
    int nodes;
  } cases[] = {
      {"norm", [&] { return norm(x); }, n, 1},
      {"linear", [&] { return fc1(x); }, linear(x, w(fc1), b(fc1)), 1},
      {"norm, linear", [&] { return fc1(norm(x)); }, linear(n, w(fc1), b(fc1)), 1},
      {"gelu, linear", [&] { return fc2(gelu(Lazy(h))); }, linear(gelu(h), w(fc2), b(fc2)), 1},
      {"linear, residual", [&] { return r + fc2(h); }, r + linear(h, w(fc2), b(fc2)), 1},
      {"gelu, linear, residual", [&] { return r + fc2(gelu(Lazy(h))); }, r + linear(gelu(h), w(fc2), b(fc2)), 1},
      {"linear, gelu", [&] { return gelu(fc1(x)); }, gelu(linear(x, w(fc1), b(fc1))), 2},
      {"linear, linear", [&] { return fc2(fc1(x)); }, linear(linear(x, w(fc1), b(fc1)), w(fc2), b(fc2)), 2},
      {"linear, gelu, linear", [&] { return fc2(gelu(fc1(x))); }, linear(gelu(linear(x, w(fc1), b(fc1))), w(fc2), b(fc2)), 2},
      {"norm, gelu", [&] { return gelu(norm(x)); }, gelu(n), 2},
      {"linear, norm", [&] { return norm(fc2(h)); },
       layer_norm(linear(h, w(fc2), b(fc2)), norm.parameter("weight"), norm.parameter("bias")), 2},
      {"norm, linear, sum", [&] { return h + fc1(norm(x)); }, h + linear(n, w(fc1), b(fc1)), 2},
      {"linear, broadcast sum", [&] { return row + fc2(h); }, row + linear(h, w(fc2), b(fc2)), 2},
      {"norm, sum", [&] { return r + norm(x); }, r + n, 2},
      {"sum on the other side", [&] { return fc2(h) + r; }, linear(h, w(fc2), b(fc2)) + r, 2},
      {"two lazy ones", [&] { return norm(x) + fc2(h); }, n + linear(h, w(fc2), b(fc2)), 2},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const int64_t before = live_nodes();
    const Tensor y = c.fused();
    CHECK(live_nodes() - before == c.nodes);
    CHECK(largest_difference(y, c.expected) < 1e-5);
  }
  CHECK(fc1(norm(x)).shape() == Shape{5, 8});
  CHECK(norm(x).shape() == Shape{5, 6});
}

namespace {

// A block written out, one plain operation per step: what Block is compared with, noise in the same order.
Tensor plain_block(const Block& block, const BlockConfig& c, const Tensor& x, Keep keep) {
  const int64_t p = x.size(-1);
  const auto w = [&](const std::string& name) {  // a gamma, or a layer's weight or bias, for width p of c.width
    const Tensor full = block.parameter(name);
    const Tensor rows = full.slice(0, 0, full.size(0) * p / c.width);
    return rows.rank() == 1 ? rows : rows.slice(1, 0, rows.size(1) * p / c.width);
  };
  const auto norm = [&](const Tensor& t, const std::string& n) { return layer_norm(t, w(n + ".weight"), w(n + ".bias")); };
  const auto product = [&](const Tensor& t, const std::string& n) {
    return matmul(t, w(n + ".weight").transpose(0, 1)) + w(n + ".bias");
  };
  const bool noise = block.training();
  const auto drop = [&](const Tensor& t) { return noise && c.dropout > 0 ? dropout(t, c.dropout, next_noise_key()) : t; };
  const auto branch = [&](const Tensor& t, const char* gamma) {
    const Tensor scaled = c.layer_scale > 0 ? t * w(gamma) : t;
    return noise && c.drop_path > 0 ? drop_path(scaled, c.drop_path, next_noise_key()) : scaled;
  };
  const Tensor mixed = keep(attention_composed(product(norm(x, "norm1"), "attn.qkv"), c.heads.size));
  const Tensor y = keep(x) + branch(drop(product(mixed, "attn.proj")), "ls1.gamma");
  const Tensor hidden = drop(gelu(product(norm(y, "norm2"), "mlp.fc1")));
  return y + branch(drop(product(hidden, "mlp.fc2")), "ls2.gamma");
}

}  // namespace

TEST_CASE("block: equal to plain operations, values and gradients, with and without noise and scale, at every width") {
  for (const int variant : {0, 1, 2, 3, 4}) {  // plain; dropout; drop path; layer scale; all of them
    BlockConfig config = small_block();
    if (variant == 1 || variant == 4) config.dropout = 0.3;
    if (variant == 2 || variant == 4) config.drop_path = 0.3;
    if (variant == 3 || variant == 4) config.layer_scale = 0.5;
    Init init("reference", 0);
    const Block block(config, init);
    disturb(block);
    for (const int64_t width : {8, 16, 24}) {
      for (const Keep& keep : {Keep(all_tokens), Keep(first_token)}) {
        CAPTURE(variant);
        CAPTURE(width);
        const Tensor x = random_tensor({3, 5, width});
        std::vector<Tensor> fused, plain;  // y, dx, and the gradient of each parameter
        const auto run = [&](std::vector<Tensor>& out, const auto& forward) {
          block.zero_grad();
          const Fixed noise(1);
          const Tensor input = x.clone().requires_grad_(), y = forward(input);
          y.backward(random_tensor(y.shape(), 1));
          out = {y.detach(), input.grad().clone()};
          for (const Parameter& p : block.parameters()) out.push_back(p.value.grad().clone());
        };
        run(fused, [&](const Tensor& input) { return block.forward(input, keep); });
        run(plain, [&](const Tensor& input) { return plain_block(block, config, input, keep); });
        CHECK(largest_difference(fused[0], plain[0]) < 1e-5);
        for (size_t i = 1; i < fused.size(); ++i) CHECK(largest_difference(fused[i], plain[i]) < 1e-4);
      }
    }
  }
}

TEST_CASE("block: five operations; with noise or scale, those that these need") {
  const auto nodes = [](const BlockConfig& config, Keep keep) {
    Init init("reference", 0);
    const Block block(config, init);
    const Fixed noise(0);
    const Tensor x = random_tensor({2, 5, 24});
    const int64_t before = live_nodes();
    const Tensor y = block.forward(x.requires_grad_(), keep);
    return live_nodes() - before;
  };
  BlockConfig config = small_block();
  CHECK(nodes(config, all_tokens) == 5);   // norm qkv, attention, proj residual, norm fc1, gelu fc2 residual
  CHECK(nodes(config, first_token) == 6);  // and the selection of mixed tokens; that of x, a leaf here, is a leaf view
  config.layer_scale = 0.1;
  CHECK(nodes(config, all_tokens) == 9);  // a product and a sum per branch
  config.drop_path = 0.5;
  CHECK(nodes(config, all_tokens) == 11);
  config = small_block();
  config.dropout = 0.5;
  CHECK(nodes(config, all_tokens) == 11);  // gelu apart, three dropouts, two sums
}

TEST_CASE("block: what attention looks at") {
  Init init("reference", 0);
  const Block block(small_block(), init);
  const Tensor p = block.attention(random_tensor({2, 5, 24}));
  CHECK(p.shape() == Shape{2, 3, 5, 5});
  CHECK(!p.requires_grad());
  CHECK(largest_difference(sum(p, {-1}), Tensor::ones({2, 3, 5})) < 1e-5);
}

TEST_CASE("block: strict unless it is built elastic") {
  Init init("reference", 0);
  BlockConfig config = small_block();
  config.elastic = Elastic::none;
  const Block block(config, init);
  CHECK_THROWS_WITH_AS(block.forward(random_tensor({2, 5, 16})),
                       "layer_norm: input [2, 5, 16] for a weight of [24], which is not elastic", Error);
  for (const Parameter& p : block.parameters()) {
    CHECK_MESSAGE(std::count(p.elastic.begin(), p.elastic.end(), true) == 0, p.name);
  }
}

TEST_CASE("patch embedding: the same as a convolution whose stride is its kernel") {
  Init init("reference", 0);
  const PatchEmbed embed(3, 4, 16, init);
  const Conv2d conv(3, 16, 4, 4, 0, init);
  {
    NoGrad off;
    conv.parameter("weight").copy_(embed.parameter("proj.weight"));
    conv.parameter("bias").copy_(embed.parameter("proj.bias"));
  }
  const Tensor images = random_tensor({2, 3, 8, 12}), tokens = embed(images, 16);
  const Tensor maps = conv(images);  // [2, 16, 2, 3]
  CHECK(largest_difference(tokens, maps.reshape({2, 16, 6}).transpose(1, 2)) < 1e-5);
  CHECK(largest_difference(embed(images, 8), tokens(all, all, Range{0, 8})) < 1e-6);
}

TEST_CASE("tokens: CLS, patches and positions, with their gradients") {
  const Tensor patches = random_tensor({3, 4, 6}).requires_grad_();
  const Tensor cls = random_tensor({1, 1, 8}, 1).requires_grad_(), positions = random_tensor({1, 5, 8}, 2).requires_grad_();
  const Tensor c = cls(0, 0, Range{0, 6}), p = positions(0, all, Range{0, 6}), seed = random_tensor({3, 5, 6}, 3);
  const Tensor composed = cat({c.reshape({1, 1, 6}).expand({3, 1, 6}), patches}, 1) + p;
  composed.backward(seed);
  const Tensor expected[] = {patches.grad().clone(), cls.grad().clone(), positions.grad().clone()};
  for (const Tensor& t : {patches, cls, positions}) t.zero_grad();
  const Tensor fused = embed_tokens(patches, c, p);
  CHECK(largest_difference(fused, composed) == 0);
  fused.backward(seed);
  CHECK(largest_difference(patches.grad(), expected[0]) == 0);
  CHECK(largest_difference(cls.grad(), expected[1]) < 1e-6);
  CHECK(largest_difference(positions.grad(), expected[2]) < 1e-6);
  CHECK_THROWS_WITH_AS(embed_tokens(patches, c, p(Range{0, 4})),
                       "embed_tokens: patches [3, 4, 6] need cls [p] and positions [N + 1, p]: [6], [4, 6]", Error);
}

TEST_CASE("losses: cross-entropy with smoothing by hand, binary cross-entropy by hand") {
  const Tensor logits = Tensor::from({2, 0, -1, 0.5, 1, 3}, {2, 3});
  const std::vector<int64_t> labels{0, 1};
  const double z0 = std::log(std::exp(2.0) + 1 + std::exp(-1.0)), z1 = std::log(std::exp(0.5) + std::exp(1.0) + std::exp(3.0));
  CHECK(CrossEntropy{}(logits, labels).item() == doctest::Approx((z0 - 2 + z1 - 1) / 2));
  const double smooth = 0.7 * (z0 - 2 + z1 - 1) / 2 + 0.3 * (z0 - 1.0 / 3 + z1 - 1.5) / 2;
  CHECK(CrossEntropy{0.3}(logits, labels).item() == doctest::Approx(smooth));
  CHECK(CrossEntropy{0.3}(logits, Tensor::from({1, 0, 0, 0, 1, 0}, {2, 3})).item() == doctest::Approx(smooth));
  const Tensor one = Tensor::from({1.5}, {1, 1});
  CHECK(BinaryCrossEntropy{}(one, Tensor::from({1}, {1, 1})).item() == doctest::Approx(std::log1p(std::exp(-1.5))));
}
