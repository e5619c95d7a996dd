// Branches on every backbone: each subnetwork against its extracted model, the mixture against its formula, costs, gradients,
// bad configurations. The convolutional stem against plain convolutions.
#include <doctest/doctest.h>

#include <cmath>

#include "core/storage.h"
#include "models/branches.h"
#include "tests/error_of.h"
#include "tests/golden.h"
#include "tests/trainer_fixtures.h"

using namespace hv;
using test::error_of;
using test::relative;

namespace {

models::Config small(const std::string& preset, const models::Config& more = {}) {
  models::Config config = models::named_model(preset, 3);
  config["depth"] = "2";
  config["image"] = "32";
  if (const auto sizes = config.find("sizes"); sizes != config.end()) sizes->second = "16,32";
  for (const auto& [name, value] : more) config[name] = value;
  return config;
}

const std::vector<std::string> kPresets = {"branches-nano", "branches-scala-nano", "branches-supervit-nano",
                                           "branches-thinking-nano"};

// No zeros and ones: they would hide a wrong place.
void fill(const nn::Module& model) {
  const NoGrad off;
  Stream stream(7, Purpose::test);
  for (const nn::Parameter& p : model.parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.05, 0.2, stream));
}

Tensor some_images(int64_t count = 2) {
  Stream stream(5, Purpose::test);
  return Tensor::normal({count, 3, 32, 32}, 0, 1, stream);
}

}  // namespace

TEST_CASE("branches: every subnetwork of every backbone is its extracted model, and costs what that holds") {
  const trainer_fixtures::Threads one;
  const NoGrad off;
  for (const std::string& preset : kPresets) {
    for (const char* mixing : {"scalar", "input"}) {
      const models::Config config = small(preset, {{"mixing", mixing}, {"feature", *mixing == 's' ? "cls" : "mean"}});
      const auto model = models::make_model(config, 1);
      fill(*model);
      CHECK(model->independent());
      CHECK(models::all_params(models::costs(config)) == model->parameter_count());
      const auto& subnets = model->subnets();
      for (const models::Subnet& subnet : {subnets.front(), subnets[subnets.size() / 2], subnets.back()}) {
        CAPTURE(preset);
        CAPTURE(subnet.name);
        const auto alone = model->extract(subnet);
        const models::Subnet& own = alone->subnets().back();
        CHECK(relative(alone->forward(some_images(), own), model->forward(some_images(), subnet)) < 1e-6);
        CHECK(alone->macs(own) == model->macs(subnet));
        int64_t held = 0;
        for (const Tensor& part : model->active(subnet)) held += part.numel();
        CHECK(held == alone->parameter_count());
        CHECK(models::make_model(alone->config(), 0)->parameter_count() == held);
      }
    }
  }
}

TEST_CASE("branches: the mixture is its formula; without branches the backbone is left") {
  const trainer_fixtures::Threads one;
  const NoGrad off;
  for (const char* mixing : {"scalar", "input"}) {
    models::Branches model(models::branches_from_config(small("branches-nano", {{"mixing", mixing}})), 1);
    const models::Subnet& narrow = model.subnets()[0];
    const auto probabilities = [&] {
      std::vector<std::vector<double>> found;
      for (const Tensor& logits : model.outputs(some_images(), narrow)) found.push_back(sigmoid(logits).to_vector());
      REQUIRE(found.size() == 3);
      return found;
    };
    const auto begin = probabilities();  // gates begin at one half
    for (size_t i = 0; i < 6; ++i) CHECK(begin[0][i] == doctest::Approx((begin[1][i] + begin[2][i]) / 2).epsilon(1e-5));
    fill(model);
    model.parameter("gate.bias").copy_(Tensor::from({-2, 0.5, 3}, {3}));
    if (*mixing == 'i') model.parameter("gate.weight").fill_(0);
    const auto now = probabilities();
    for (size_t i = 0; i < 6; ++i) {
      const double g = 1 / (1 + std::exp(-std::vector<double>{-2, 0.5, 3}[i % 3]));
      CHECK(now[0][i] == doctest::Approx(g * now[1][i] + (1 - g) * now[2][i]).epsilon(1e-5));
    }
    CHECK(model.mixing().size() == (*mixing == 'i' ? 0 : 3));
    if (*mixing == 'i') continue;
    CHECK(model.mixing()[2] == doctest::Approx(1 / (1 + std::exp(-3.0))));
  }
  const auto whole = models::make_model(small("branches-nano"), 4);
  const auto head = models::make_model(small("branches-nano", {{"branches", "off"}}), 4);
  models::Config config = small("branches-nano");
  config["model"] = config["backbone"];
  for (const char* own : {"backbone", "branches", "mixing", "feature", "branch_hidden"}) config.erase(own);
  const auto plain = models::make_model(config, 4);
  CHECK(!plain->independent());
  for (const models::Subnet& subnet : plain->subnets()) {
    const std::vector<double> logits = plain->forward(some_images(), subnet).to_vector();
    CHECK(head->forward(some_images(), subnet).to_vector() == logits);
    CHECK(head->outputs(some_images(), subnet).size() == 1);
    CHECK(whole->outputs(some_images(), subnet)[2].to_vector() == logits);
  }
  CHECK(head->parameter_count() == plain->parameter_count());
}

TEST_CASE("branches: a pass gives every active weight a gradient and no other; a steady one asks for no memory") {
  const trainer_fixtures::Threads one;
  const auto model = models::make_model(small("branches-nano", {{"mixing", "input"}}), 1);
  fill(*model);
  const Tensor images = some_images(4), targets = Tensor::from({1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0}, {4, 3});
  const models::Subnet& narrow = model->subnets()[1];
  const auto pass = [&] {
    Tensor loss;
    for (const Tensor& logits : model->outputs(images, narrow)) {
      const Tensor part = bce_with_logits(logits, targets);
      loss = loss.defined() ? loss + part : part;
    }
    loss.backward();
  };
  pass();
  const std::vector<Tensor> active = model->active(narrow);
  const std::vector<nn::Parameter> parameters = model->parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(parameters[i].name);
    const auto squares = [](const Tensor& g) { return g.numel() == 0 ? 0.0 : sum(g * g).item(); };
    const double whole = squares(parameters[i].value.grad()), part = squares(active[i].grad());
    CHECK(part > 0);
    CHECK(whole == doctest::Approx(part).epsilon(1e-5));
  }
  pass();
  const MemoryStats before = memory_stats();
  for (int i = 0; i < 3; ++i) pass();
  CHECK(memory_stats().strided_copies == before.strided_copies);
#ifndef HV_ASAN  // with which every tensor is allocated by the system
  CHECK(memory_stats().chunks == before.chunks);
#endif
}

TEST_CASE("stem: convolutions with norms that halve the image, then patches of what is left; what they cost") {
  const trainer_fixtures::Threads one;
  const NoGrad off;
  const std::vector<nn::StemConv> convs = nn::stem_convs(3, 16, 32);
  REQUIRE(convs.size() == 3);
  CHECK(convs[0].in == 3);
  CHECK(convs[0].out == 8);
  CHECK(convs[2].in == 16);
  CHECK(convs[2].out == 32);
  nn::Init init("reference", 1);
  const nn::PatchEmbed embed(3, 8, 12, init, 6);
  fill(embed);
  const auto stage = [&](const Tensor& x, const std::string& name) {
    const Tensor y = conv2d(x, embed.parameter(name + ".weight"), {}, 2, 1);
    return gelu(channel_norm_composed(y, embed.parameter(name + ".norm.weight"), embed.parameter(name + ".norm.bias")));
  };
  const Tensor second = stage(stage(some_images(), "stem.0"), "stem.1");
  CHECK(second.shape() == Shape{2, 6, 8, 8});
  const Tensor planes = conv2d(second, embed.parameter("proj.weight"), embed.parameter("proj.bias"), 2);  // [2, 12, 4, 4]
  CHECK(relative(embed(some_images(), 12), planes.reshape({2, 12, 16}).transpose(1, 2).contiguous()) < 1e-6);

  models::Config config = models::named_model("nano", 10);
  const models::Cost plain = models::costs(config).back();
  config["stem"] = "conv:16";  // patch 4: one convolution 3 -> 16 on 16 x 16 places, then 2 x 2 patches of 16 channels
  const models::Cost conv = models::costs(config).back();
  CHECK(conv.params - plain.params == 9 * 3 * 16 + 2 * 16 + 96 * 16 * 4 - 96 * 3 * 16);
  CHECK(conv.macs - plain.macs == 256 * 9 * 3 * 16 + 64 * 96 * 64 - 64 * 96 * 48);
  CHECK(models::make_model(config, 1)->parameter_count() == conv.params);
  CHECK(!models::plain_vit(config));
  CHECK(models::plain_vit(models::named_model("nano", 10)));
}

TEST_CASE("branches and stem: configurations that are refused") {
  const auto refused = [](const models::Config& more, const std::string& preset = "branches-nano") {
    return error_of([&] { models::costs(small(preset, more)); });
  };
  CHECK(refused({{"mixing", "max"}}) == "model: mixing: expected scalar or input, found 'max'");
  CHECK(refused({{"feature", "dist"}}) == "model: feature: expected cls or mean, found 'dist'");
  CHECK(refused({{"branches", "yes"}}) == "model: branches: expected on or off, found 'yes'");
  CHECK(refused({{"branch_hidden", "0"}}) == "model: branch_hidden: expected 1 to 1024, found 0");
  CHECK(refused({{"backbone", "branches"}}) ==
        "model: backbone: a model of kind branches decides by no single feature; choose another one");
  CHECK(refused({{"backbone", "mlp"}}) ==
        "model: backbone: a model of kind mlp decides by no single feature; choose another one");
  CHECK(refused({{"backbone", "lstm"}}).starts_with("model: unknown kind 'lstm'; known: hydravit"));
  CHECK(refused({{"distilled", "on"}}, "branches-scala-nano") ==
        "model: backbone: a model of kind scala with these entries decides by no single feature; choose another one");
  CHECK(refused({{"branch_hidden", "1024"}, {"classes", "1048576"}}).starts_with("model: too large: "));
  CHECK(refused({{"more", "1"}}) == "model: an entry this version does not know: 'more'");
  const std::string stem = "model: stem: expected patch or conv:N with N from 1 to 1024 channels, as conv:64; found '";
  for (const char* bad :
       {"conv", "conv:", "conv:0", "conv:2000", "conv:64x", "conv:-4", "cnv:64", "", "conv:99999999999999999999"}) {
    CHECK(refused({{"stem", bad}}) == stem + bad + "'");
  }
  CHECK(refused({{"stem", "conv:5"}}) ==
        "model: stem: convolutions halve the image, so the patch must be 4, 8, 16, ... and a quarter of it must divide the 5 "
        "channels; found 8");
  CHECK(refused({{"stem", "conv:16"}, {"patch", "2"}}).find("found 2") != std::string::npos);
}
