// HydraViT as a whole: subnetworks equal their extracts, gradients stay in their rectangle, costs, configuration.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/parallel.h"
#include "models/hydravit.h"
#include "models/mlp_classifier.h"
#include "nn/losses.h"
#include "nn/part.h"
#include "tests/worse.h"

using namespace hv;
using namespace hv::models;

namespace {

Tensor random_images(const HydraViTConfig& c, int64_t count) {
  Stream stream(11, Purpose::test);
  return Tensor::normal({count, c.channels, c.image, c.image}, 0, 1, stream);
}

// Biases, gains and CLS token away from 0 and 1, where a mistake could hide.
void disturb(const nn::Module& module) {
  NoGrad off;
  Stream stream(12, Purpose::test);
  for (const nn::Parameter& p : module.parameters()) p.value.add_(Tensor::normal(p.value.shape(), 0, 0.1, stream));
}

// The shape of a preset, but small enough for a test: two blocks (deit: one), images of 32 pixels.
HydraViTConfig small_preset(const std::string& name) {
  HydraViTConfig c = preset(name);
  c.depth = name == "deit" ? 1 : 2;
  c.image = 32;
  return c;
}

HydraViTConfig tiny() {
  HydraViTConfig c = preset("nano");
  c.image = 8;
  c.depth = 2;
  return c;
}

double largest(const Tensor& t) {
  double most = 0;
  for (double v : t.to_vector()) most = test::worse(most, std::abs(v));
  return most;
}

const std::vector<int64_t> kLabels{1, 2, 3, 4, 5, 6, 7, 8};

void train_pass(HydraViT& model, const Tensor& images, const Subnet& width) {
  const std::span<const int64_t> labels(kLabels.data(), static_cast<size_t>(images.size(0)));
  nn::CrossEntropy{0.1}(model.forward(images, width), labels).backward();
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return concat(static_cast<int>(error.fault()), " ", error.what());
  }
  return "no error";
}

}  // namespace

TEST_CASE("presets: as published, with the widths between") {
  const HydraViTConfig nano = preset("nano"), cifar = preset("cifar"), deit = preset("deit");
  CHECK(preset_names() == std::vector<std::string>{"nano", "cifar", "deit"});
  CHECK(nano.width() == 96);
  CHECK(cifar.width() == 256);
  CHECK(deit.width() == 768);
  CHECK(cifar.tokens() == 65);
  CHECK(deit.tokens() == 197);
  HydraViT model(tiny(), 0);
  std::string labels;
  for (const Subnet& s : model.subnets())
    labels += concat(s.name, "/", s.label, "/", s.id, "/", s.axes[0].value, "/", s.axes[1].value, " ");
  CHECK(labels ==
        "heads2/heads=2/0/2/32 heads3/heads=3/1/3/48 heads4/heads=4/2/4/64 heads5/heads=5/3/5/80 "
        "heads6/heads=6/4/6/96 ");
  CHECK(error_of([] { preset("nona"); }) == "2 preset: unknown name 'nona'; known: nano, cifar, deit");
}

TEST_CASE("costs: parameters and MACs of DeiT's shapes, 3 to 12 heads, exactly") {
  const HydraViTConfig deit = preset("deit");
  const int64_t params[] = {5717416, 9982184, 15426600, 22050664, 29854376, 38837736, 49000744, 60343400, 72865704, 86567656};
  const double gmacs[] = {1.2537, 2.1364, 3.2514, 4.5989, 6.1787, 7.9910, 10.0356, 12.3126, 14.8220, 17.5638};
  for (int64_t k = 3; k <= 12; ++k) {
    CHECK(parameter_count(deit, k) == params[k - 3]);
    CHECK(std::round(static_cast<double>(mac_count(deit, k)) / 1e5) == std::round(gmacs[k - 3] * 1e4));
  }
  // By hand for DeiT-Ti: patches 196 * 192 * 768, 12 blocks of 197 * 12 * 192^2 + 2 * 197^2 * 192, classifier 192 * 1000.
  CHECK(mac_count(deit, 3) == 28901376 + 12 * (87146496 + 14902656) + 192000);
}

TEST_CASE("costs: the formula counts the rectangles that are there; the full model has nothing else") {
  for (const std::string& name : preset_names()) {
    const HydraViT model(small_preset(name), 0);
    for (const Subnet& width : model.subnets()) {
      int64_t count = 0;
      for (const Tensor& part : model.active(width)) count += part.numel();
      CHECK(count == model.params(width));
    }
    CHECK(model.params(model.subnets().back()) == model.parameter_count());
  }
}

TEST_CASE("every preset and width: the subnetwork's logits are those of the extracted model") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    HydraViT model(small_preset(name), 5);
    disturb(model);
    model.eval();
    const Tensor images = random_images(model.settings(), 2);
    NoGrad off;
    for (const Subnet& width : model.subnets()) {
      CAPTURE(width.label);
      const auto small = model.extract(width);
      small->eval();
      REQUIRE(small->subnets().size() == 1);
      CHECK(small->parameter_count() == model.params(width));
      CHECK(small->macs(small->subnets()[0]) == model.macs(width));
      const Tensor a = model.forward(images, width), b = small->forward(images, small->subnets()[0]);
      CHECK(a.shape() == Shape{2, model.classes()});
      CHECK(largest(a - b) <= 1e-5 * largest(b));
      CHECK(largest(b) > 0.01);
    }
  }
}

TEST_CASE("an extracted model is its own: training it leaves the large one alone") {
  HydraViT model(tiny(), 0);
  const auto small = model.extract(model.subnet(3));
  CHECK(small->subnets()[0].label == "heads=3");
  CHECK(small->config().at("heads_min") == "3");
  {
    NoGrad off;
    small->parameter("norm.weight").fill_(7);
  }
  CHECK(model.parameter("norm.weight").at({0}) == 1);
}

TEST_CASE("trailing parts: the subnetwork at the other end of every weight, forward, extracted and in its gradients") {
  HydraViT model(tiny(), 5);
  disturb(model);
  const Tensor images = random_images(model.settings(), 2);
  const Subnet& narrow = model.subnets()[0];
  const int64_t p = static_cast<int64_t>(narrow.axes[1].value), e = model.settings().width();
  const Tensor leading = model.forward(images, narrow).detach();
  const nn::TrailingParts scope;
  const auto small = model.extract(narrow);
  const Tensor theirs = small->parameter("blocks.1.attn.qkv.weight").detach();
  CHECK(largest(theirs -
                model.parameter("blocks.1.attn.qkv.weight").detach().slice(0, 3 * (e - p), 3 * e).slice(1, e - p, e)) == 0);
  const Tensor logits = model.forward(images, narrow);
  CHECK(largest(logits.detach() - small->forward(images, small->subnets()[0]).detach()) < 1e-6);
  CHECK(largest(logits.detach() - leading) > 1e-3);
  sum(logits * logits).backward();
  const auto parameters = model.parameters();
  const auto parts = model.active(narrow);
  for (size_t i = 0; i < parts.size(); ++i) {
    CAPTURE(parameters[i].name);
    CHECK(largest(parts[i].grad()) > 0);
    nn::Parameter copy = parameters[i];
    copy.value = parameters[i].value.grad().clone().detach();
    nn::live(copy, p, e).fill_(0);
    CHECK(largest(copy.value) == 0);
  }
}

TEST_CASE("gradients at every width: something in the rectangle, exactly 0 outside") {
  HydraViT model(tiny(), 1);
  disturb(model);
  const Tensor images = random_images(model.settings(), 3);
  const auto parameters = model.parameters();
  for (const Subnet& width : model.subnets()) {
    CAPTURE(width.label);
    for (const nn::Parameter& p : parameters) p.value.zero_grad();
    train_pass(model, images, width);
    const std::vector<Tensor> parts = model.active(width);
    for (size_t i = 0; i < parts.size(); ++i) {
      CAPTURE(parameters[i].name);
      CHECK(largest(parts[i].grad()) > 0);
      const Tensor outside = parameters[i].value.grad().clone().detach();
      nn::Parameter copy = parameters[i];
      copy.value = outside;
      nn::live(copy, static_cast<int64_t>(width.axes[1].value), model.settings().width()).fill_(0);
      CHECK(largest(outside) == 0);
    }
  }
}

TEST_CASE("views of parameters allocate nothing; a step in steady state asks the system for nothing and copies no layout") {
  HydraViT model(small_preset("nano"), 0);
  const Tensor images = random_images(model.settings(), 8);
  for (const Subnet& width : model.subnets()) train_pass(model, images, width);  // warm-up
  const MemoryStats before = memory_stats();
  const int64_t nodes = live_nodes();
  for (const Subnet& width : model.subnets()) model.active(width);
  CHECK(memory_stats().buffers == before.buffers);
  CHECK(live_nodes() == nodes);
  for (int round = 0; round < 2; ++round) {
    for (const Subnet& width : model.subnets()) train_pass(model, images, width);
  }
  // Under AddressSanitizer there is no pool: each buffer is allocated by itself.
  if (before.chunks < before.buffers) CHECK(memory_stats().chunks == before.chunks);
  CHECK(memory_stats().strided_copies == before.strided_copies);
  CHECK(memory_stats().live_bytes == before.live_bytes);
  CHECK(live_nodes() == nodes);
}

TEST_CASE("the same bits for 1 to 4 threads: logits and gradients") {
  const int before = num_threads();
  std::vector<std::vector<double>> runs;
  for (int threads = 1; threads <= 4; ++threads) {
    set_num_threads(threads);
    HydraViT model(small_preset("nano"), 2);
    const Tensor images = random_images(model.settings(), 8);
    std::vector<double> bits;
    for (int64_t heads : {2, 5}) {
      const auto logits = model.forward(images, heads).to_vector();
      bits.insert(bits.end(), logits.begin(), logits.end());
      train_pass(model, images, model.subnet(heads));
    }
    for (const nn::Parameter& p : model.parameters()) {
      const auto gradient = p.value.grad().to_vector();
      bits.insert(bits.end(), gradient.begin(), gradient.end());
    }
    runs.push_back(std::move(bits));
  }
  set_num_threads(before);
  for (size_t i = 1; i < runs.size(); ++i) CHECK(runs[i] == runs[0]);
}

TEST_CASE("dropout and drop path: off in evaluation, a function of seed and step in training") {
  HydraViTConfig config = tiny();
  config.dropout = 0.2;
  config.drop_path = 0.2;
  HydraViT model(config, 0);
  disturb(model);
  const Tensor images = random_images(config, 4);
  const auto at_step = [&](uint64_t step) {
    const nn::NoiseScope noise(1, step);
    return model.forward(images, 4).detach();
  };
  const Tensor first = at_step(0);
  CHECK(largest(first - at_step(0)) == 0);
  CHECK(largest(first - at_step(1)) > 1e-3);
  model.eval();
  const Tensor still = model.forward(images, 4).detach();
  CHECK(largest(still - at_step(1)) == 0);
  CHECK(largest(still - first) > 1e-3);
  config.dropout = config.drop_path = 0;
  HydraViT plain(config, 0);
  disturb(plain);
  CHECK(largest(still - plain.forward(images, 4).detach()) == 0);
}

TEST_CASE("weights come from the seed; both styles of initialisation") {
  HydraViTConfig config = tiny();
  const HydraViT a(config, 3), b(config, 3), c(config, 4);
  const auto difference = [](const HydraViT& x, const HydraViT& y, const char* name) {
    return largest(x.parameter(name).detach() - y.parameter(name).detach());
  };
  CHECK(difference(a, b, "blocks.1.mlp.fc2.weight") == 0);
  CHECK(difference(a, c, "blocks.1.mlp.fc2.weight") > 0.01);
  CHECK(difference(a, c, "pos_embed") > 0.01);
  CHECK(largest(a.parameter("cls_token")) < 1e-5);
  CHECK(largest(a.parameter("head.bias")) == 0);
  CHECK(largest(a.parameter("blocks.0.norm1.weight")) == 1);
  config.init = "reference";
  const HydraViT r(config, 3);
  CHECK(largest(r.parameter("head.bias")) > 0);
  CHECK(largest(r.parameter("blocks.0.mlp.fc2.weight")) <= 1 / std::sqrt(192.0) + 1e-7);
  CHECK(largest(r.parameter("pos_embed")) <= 0.12);  // normal, also in this style
}

TEST_CASE("decay: matrices only, neither CLS token nor positions") {
  for (const nn::Parameter& p : HydraViT(tiny(), 0).parameters()) {
    const bool matrix = p.value.rank() >= 2 && p.name != "cls_token" && p.name != "pos_embed";
    CHECK_MESSAGE(p.decay == matrix, p.name);
  }
}

TEST_CASE("configuration: text and back, exactly") {
  HydraViTConfig c = preset("deit");
  c.drop_path = 0.1;
  c.dropout = 1.0 / 3;
  c.init = "reference";
  c.heads = 5;
  c.image = 32;
  c.depth = 1;
  const auto model = make_model(to_config(c), 0);
  CHECK(model->config() == to_config(c));
  CHECK(from_config(to_config(c)).dropout == 1.0 / 3);
  CHECK(model->classes() == 1000);
  CHECK(model->image_size() == 32);
  CHECK(model->subnets().size() == 3);
}

TEST_CASE("configuration: what is missing, unknown, malformed or absurd is refused before anything is allocated") {
  const auto with = [](const char* key, const char* value) {
    Config config = to_config(preset("cifar"));
    if (value) {
      config[key] = value;
    } else {
      config.erase(key);
    }
    const int64_t bytes = memory_stats().peak_bytes;
    const std::string error = error_of([&] { make_model(config, 0); });
    CHECK(memory_stats().peak_bytes == bytes);
    return error;
  };
  CHECK(with("model", nullptr) == "3 model: the configuration does not say which model it is");
  CHECK(with("model", "resnet").rfind("3 model: unknown kind 'resnet'; known: hydravit, mlp", 0) == 0);
  CHECK(with("depth", nullptr) == "3 model: the configuration lacks 'depth'");
  CHECK(with("extra", "1") == "3 model: an entry this version does not know: 'extra'");
  CHECK(with("depth", "7x") == "3 model: depth: expected a number, found '7x'");
  CHECK(with("depth", "") == "3 model: depth: expected a number, found ''");
  CHECK(with("depth", "99999999999999999999") == "3 model: depth: expected a number, found '99999999999999999999'");
  CHECK(with("depth", "-1") == "3 model: depth: expected 1 to 256, found -1");
  CHECK(with("dropout", "nan") == "3 model: dropout: expected a number in [0, 1), found nan");
  CHECK(with("drop_path", "1") == "3 model: drop_path: expected a number in [0, 1), found 1");
  CHECK(with("init", "zeros") == "3 model: init: unknown style 'zeros'; known: trunc_normal, reference");
  CHECK(with("patch", "5") == "3 model: the patch must divide the image: 5 and 32");
  CHECK(with("heads", "2") == "3 model: heads_min 3 above heads 2");
  CHECK(with("image", "1024") == "3 model: too many tokens: 65537, at most 4097");
  // 256 heads of 1024 in 7 blocks: 3.9 TB, which no single field shows.
  Config huge = to_config(preset("cifar"));
  huge["heads"] = "256";
  huge["head_dim"] = "1024";
  CHECK(error_of([&] { make_model(huge, 0); }) == "3 model: too large: 3848344174602 parameters, at most 536870912");
  HydraViTConfig direct;
  direct.heads = -4;
  CHECK(error_of([&] { HydraViT(direct, 0); }) == "3 model: heads: expected 1 to 256, found -4");
}

TEST_CASE("wrong images and widths are named") {
  HydraViT model(tiny(), 0);
  CHECK(error_of([&] {
          model.forward(Tensor::zeros({2, 3, 8, 9}), 3);
        }) == "1 hydravit: images [2, 3, 8, 9], expected [B, 3, 8, 8]");
  CHECK(error_of([&] {
          model.forward(Tensor::zeros({2, 3, 8, 8}), 7);
        }) == "2 heads: this model has no subnetwork 7; it has 2, 3, 4, 5, 6");
  CHECK(error_of([&] { model.subnet(1); }) == "2 heads: this model has no subnetwork 1; it has 2, 3, 4, 5, 6");
}

TEST_CASE("the two-layer classifier: one subnetwork, costs, configuration, extract") {
  MlpClassifier model({8, 3, 20, 10}, 0);
  REQUIRE(model.subnets().size() == 1);
  const Subnet& whole = model.subnets()[0];
  CHECK(model.params(whole) == 192 * 20 + 20 + 20 * 10 + 10);
  CHECK(model.macs(whole) == 192 * 20 + 20 * 10);
  CHECK(make_model(model.config(), 0)->config() == model.config());
  HydraViTConfig shape = tiny();
  const Tensor images = random_images(shape, 3);
  const auto copy = model.extract(whole);
  CHECK(largest(model.forward(images, whole).detach() - copy->forward(images, whole).detach()) == 0);
  CHECK(model.active(whole).size() == 4);

  Config config = model.config();
  config["hidden"] = "65536";
  config["image"] = "512";
  CHECK(error_of([&] { make_model(config, 0); }) == "3 model: too large: 51540262912 weights, at most 536870912");
  config["hidden"] = "0";
  CHECK(error_of([&] { make_model(config, 0); }) == "3 model: hidden: expected 1 to 65536, found 0");
  config.erase("hidden");
  CHECK(error_of([&] { make_model(config, 0); }) == "3 model: the configuration lacks 'hidden'");
  config = model.config();
  config["depth"] = "2";
  CHECK(error_of([&] { make_model(config, 0); }) == "3 model: an entry this version does not know: 'depth'");
}

TEST_CASE("rollout: the product of (A + I) / 2 over the blocks, by loops; at each width that of the extracted model") {
  const NoGrad off;
  HydraViT model(tiny(), 3);
  disturb(model);
  const HydraViTConfig& c = model.settings();
  const Tensor images = random_images(c, 2);
  for (const Subnet& width : model.subnets()) {
    const int64_t width_heads = static_cast<int64_t>(width.axes[0].value);
    const int64_t p = static_cast<int64_t>(width.axes[1].value), t = c.tokens(), n = t - 1;
    const auto part = [&](const std::string& name) { return nn::part(model.parameter(name), 2, p); };
    const Tensor kernel = model.parameter("patch_embed.proj.weight").view({c.width(), -1}).slice(0, 0, p);
    const Tensor patches = linear(patchify(images, c.patch), kernel, model.parameter("patch_embed.proj.bias").slice(0, 0, p));
    Tensor x = cat({part("cls_token").expand({2, 1, p}), patches}, 1) + part("pos_embed");
    std::vector<double> flow(static_cast<size_t>(2 * t * t));
    for (int64_t i = 0; i < 2 * t * t; ++i) flow[static_cast<size_t>(i)] = i % (t * t) / t == i % t ? 1 : 0;
    const auto small = model.extract(width);
    for (int64_t layer = 0; layer < c.depth; ++layer) {
      nn::Init init("trunc_normal", 0);
      nn::Block block({.width = p, .heads = {.size = c.head_dim}, .hidden = c.mlp_ratio * p}, init);
      for (const nn::Parameter& own : block.parameters())
        own.value.copy_(small->parameter(concat("blocks.", layer, ".", own.name)));
      const Tensor a = block.attention(x);
      std::vector<double> next(flow.size());
      for (int64_t b = 0; b < 2; ++b) {
        for (int64_t i = 0; i < t; ++i) {
          for (int64_t j = 0; j < t; ++j) {
            double mixing = i == j ? 0.5 : 0;
            for (int64_t h = 0; h < width_heads; ++h) mixing += 0.5 * a.at({b, h, i, j}) / static_cast<double>(width_heads);
            for (int64_t k = 0; k < t; ++k)
              next[static_cast<size_t>((b * t + i) * t + k)] += mixing * flow[static_cast<size_t>((b * t + j) * t + k)];
          }
        }
      }
      flow = next;
      x = block.forward(x);
    }
    const Tensor got = model.rollout(images, width), extracted = small->rollout(images, small->subnets().back());
    CHECK(got.shape() == Shape{2, c.image / c.patch, c.image / c.patch});
    for (int64_t b = 0; b < 2; ++b) {
      double total = 0;
      for (int64_t j = 1; j < t; ++j) total += flow[static_cast<size_t>(b * t * t + j)];
      for (int64_t j = 0; j < n; ++j) {
        const double expected = flow[static_cast<size_t>(b * t * t + j + 1)] / total;
        CHECK(got.reshape({2, n}).at({b, j}) == doctest::Approx(expected).epsilon(1e-4));
        CHECK(extracted.reshape({2, n}).at({b, j}) == doctest::Approx(expected).epsilon(1e-4));
      }
    }
  }
}
