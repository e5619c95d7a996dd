// Modules, layers, initialisation, noise.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/losses.h"

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
  for (size_t i = 0; i < x.size(); ++i) most = std::max(most, std::abs(x[i] - y[i]));
  return most;
}

// Gains, biases and scales away from 0 and 1, where mistakes could hide.
void disturb(const Module& module) {
  NoGrad off;
  uint64_t index = 100;
  for (const Parameter& p : module.parameters()) p.value.add_(random_tensor(p.value.shape(), index++), 0.1);
}

BlockConfig small_block() { return {24, 8, 48}; }  // 3 heads of 8

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
    return drop.forward(x);
  };
  CHECK(largest_difference(at_step(3), at_step(3)) == 0);
  CHECK(largest_difference(at_step(3), at_step(4)) == 2);
  const NoiseScope outer(5, 3);
  const Tensor first = drop.forward(x);
  {
    const NoiseScope inner(9, 9);  // another model, in between
    drop.forward(x);
  }
  const Tensor second = drop.forward(x);
  CHECK(largest_difference(first, at_step(3)) == 0);
  CHECK(largest_difference(first, second) == 2);  // the next draw, not the same again
  CHECK(next_noise_key().index == 2);
}

TEST_CASE("noise: what needs a seed says so; probabilities are checked") {
  const Dropout drop(0.1);
  CHECK_THROWS_WITH_AS(
      drop.forward(Tensor::ones({2})),
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

TEST_CASE("linear: the leading rectangle for the width at hand") {
  Init init("reference", 0);
  const Linear elastic(8, 16, init), fixed(8, 3, init, Out::fixed);
  const Tensor x = random_tensor({5, 4});
  const Tensor w = elastic.parameter("weight"), b = elastic.parameter("bias");
  const Tensor expected = matmul(x, w(Range{0, 8}, Range{0, 4}).transpose(0, 1)) + b(Range{0, 8});
  CHECK(largest_difference(elastic.forward(x), expected) < 1e-5);
  CHECK(fixed.forward(x).shape() == Shape{5, 3});
  CHECK_THROWS_WITH_AS(elastic.forward(random_tensor({2, 9})), "linear: 9 columns for a weight of [16, 8]", Error);
}

TEST_CASE("layer norm: over the channels at hand, alone and in one operation with the layer that follows") {
  Init init("reference", 0);
  const LayerNorm norm(8);
  const Linear next(8, 6, init);
  disturb(norm);
  const Tensor x = random_tensor({2, 3, 4}) * 2 + 1;
  const Tensor mean = sum(x, {-1}, true) / 4, centred = x - mean;
  const Tensor expected =
      centred / sqrt(sum(centred * centred, {-1}, true) / 4 + 1e-6) * norm.parameter("weight").slice(0, 0, 4) +
      norm.parameter("bias").slice(0, 0, 4);
  CHECK(largest_difference(norm.forward(x), expected) < 1e-5);
  CHECK(largest_difference(norm.then(next, x), next.forward(expected)) < 1e-5);
}

TEST_CASE("leading: a leaf view whose gradient lies in the parameter's") {
  const Parameter p{"w", Tensor::zeros({6, 4}).requires_grad_(), {true, true}};
  const Tensor view = leading(p, 2, 4);
  CHECK(view.shape() == Shape{3, 2});
  CHECK(view.requires_grad());
  sum(view * random_tensor({3, 2})).backward();
  CHECK(largest_difference(p.value.grad()(Range{0, 3}, Range{0, 2}), random_tensor({3, 2})) == 0);
  CHECK(sum(abs(p.value.grad())).item() == sum(abs(random_tensor({3, 2}))).item());
  CHECK_THROWS_WITH_AS(leading(p, 5, 4), "leading: width 5 of 'w' is not in 1 to 4", Error);
}

TEST_CASE("block: the fused path equals the composed one, forward and backward, at every width") {
  Init init("reference", 0);
  BlockConfig config = small_block();
  const Block fused(config, init);
  config.layer_scale = 1;  // multiplies by 1, so the branches are composed
  Init again("reference", 0);
  const Block composed(config, again);
  disturb(fused);
  for (const Parameter& p : fused.parameters()) {
    NoGrad off;
    composed.parameter(p.name).copy_(p.value);
  }
  for (int64_t width : {8, 16, 24}) {
    CAPTURE(width);
    const Tensor x = random_tensor({3, 5, width}), seed = random_tensor({3, 5, width}, 1);
    const Tensor xf = x.clone().requires_grad_(), xc = x.clone().requires_grad_();
    fused.zero_grad();
    composed.zero_grad();
    const Tensor yf = fused.forward(xf), yc = composed.forward(xc);
    CHECK(largest_difference(yf, yc) < 1e-5);
    yf.backward(seed);
    yc.backward(seed);
    CHECK(largest_difference(xf.grad(), xc.grad()) < 1e-4);
    for (const Parameter& p : fused.parameters()) {
      CHECK_MESSAGE(largest_difference(p.value.grad(), composed.parameter(p.name).grad()) < 1e-4, p.name);
    }
    CHECK(sum(abs(composed.parameter("ls1.gamma").grad()(Range{0, width}))).item() > 0);
  }
}

TEST_CASE("block: equals attention and MLP written out") {
  Init init("reference", 0);
  const Block block(small_block(), init);
  disturb(block);
  const auto w = [&](const char* name) { return block.parameter(name); };
  const Tensor x = random_tensor({2, 5, 24});
  const Tensor qkv = linear(layer_norm(x, w("norm1.weight"), w("norm1.bias")), w("attn.qkv.weight"), w("attn.qkv.bias"));
  const Tensor y = x + linear(attention_composed(qkv, 8), w("attn.proj.weight"), w("attn.proj.bias"));
  const Tensor hidden = linear(layer_norm(y, w("norm2.weight"), w("norm2.bias")), w("mlp.fc1.weight"), w("mlp.fc1.bias"));
  const Tensor expected = y + linear(gelu(hidden), w("mlp.fc2.weight"), w("mlp.fc2.bias"));
  CHECK(largest_difference(block.forward(x), expected) < 1e-5);
  CHECK(largest_difference(block.forward_first(x), expected.select(1, 0)) < 1e-5);
  const Tensor p = block.attention().probabilities(block.attention_norm(), x);
  CHECK(p.shape() == Shape{2, 3, 5, 5});
  CHECK(largest_difference(sum(p, {-1}), Tensor::ones({2, 3, 5})) < 1e-5);
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
  const Tensor images = random_tensor({2, 3, 8, 12}), tokens = embed.forward(images, 16);
  const Tensor maps = conv.forward(images);  // [2, 16, 2, 3]
  CHECK(largest_difference(tokens, maps.reshape({2, 16, 6}).transpose(1, 2)) < 1e-5);
  CHECK(largest_difference(embed.forward(images, 8), tokens(all, all, Range{0, 8})) < 1e-6);
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

TEST_CASE("init: normal, or uniform by fan-in; biases 0 or uniform") {
  Init normal("trunc_normal", 4), reference("reference", 4);
  const std::vector<double> w = normal.weight({300, 200}, 200).to_vector();
  double square = 0, most = 0;
  for (double v : w) {
    square += v * v;
    most = std::max(most, std::abs(v));
  }
  CHECK(most < 0.12);  // of 60,000 draws, the largest is very likely between 3.5 and 6 standard deviations
  CHECK(most > 0.07);
  CHECK(std::sqrt(square / 60000) == doctest::Approx(0.02).epsilon(0.02));
  CHECK(sum(abs(normal.bias(200, 200))).item() == 0);

  for (const Tensor& t : {reference.weight({300, 200}, 400), reference.bias(60000, 400)}) {  // +-1/20
    const std::vector<double> v = t.to_vector();
    CHECK(*std::max_element(v.begin(), v.end()) <= 0.05);
    CHECK(*std::max_element(v.begin(), v.end()) > 0.0499);
    CHECK(*std::min_element(v.begin(), v.end()) < -0.0499);
  }
  CHECK_THROWS_WITH_AS(Init("zeros", 0), "init: unknown style 'zeros'; known: trunc_normal, reference", Error);
}

TEST_CASE("init: the same numbers for any number of threads; another seed, others") {
  const int before = num_threads();
  const auto draw = [](int threads, uint64_t seed) {
    set_num_threads(threads);
    return Init("trunc_normal", seed).weight({500, 100}, 100);
  };
  const Tensor one = draw(1, 2), three = draw(3, 2), other = draw(3, 3);
  set_num_threads(before);
  CHECK(largest_difference(one, three) == 0);
  CHECK(largest_difference(one, other) > 0.01);
  CHECK(largest_difference(one.slice(0, 0, 100), one.slice(0, 200, 300)) > 0.01);  // pieces do not repeat
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
