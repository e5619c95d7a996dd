// The model of ViT-Slim's search without the authors' numbers (those are in test_golden_slim.cpp): against a transformer
// without masks, families that rest, its configuration.
#include <doctest/doctest.h>

#include "models/slim_search.h"
#include "models/supervit.h"
#include "tests/error_of.h"
#include "train/optim/optimizer.h"
#include "train/recipes/slim.h"
#include "train/step.h"

using namespace hv;
using namespace hv::test;
using models::SlimSearch;
using models::SlimSearchConfig;

namespace {

bool is_mask(const std::string& name) { return name.ends_with("zeta"); }

double apart(const Tensor& a, const Tensor& b) { return hv::max(abs(a - b)).item() / hv::max(abs(b)).item(); }

SlimSearchConfig tiny() {
  SlimSearchConfig c;
  c.image = 8;
  c.depth = 2;
  c.heads = 2;
  c.head_dim = 8;
  c.classes = 3;
  return c;
}

std::string refused(const std::string& entry, const std::string& value) {
  models::Config config = models::to_config(tiny());
  config[entry] = value;
  return error_of([&] { models::costs(config); });
}

Tensor images_of(int64_t batch) {
  Stream random(3, Purpose::init);
  return Tensor::normal({batch, 3, 8, 8}, 0, 1, random);
}

}  // namespace

TEST_CASE("slim search: without masks' effect it is a SuperViT of one view, to the same seed") {
  SlimSearchConfig c = tiny();
  c.masks = "mlp,attention";
  c.dropout = c.drop_path = 0.2;
  models::SuperViTConfig plain;
  static_cast<models::VitConfig&>(plain) = c;
  plain.heads = c.heads;
  plain.head_dim = c.head_dim;
  SlimSearch model(c, 7);
  models::SuperViT other(plain, 7);
  std::vector<nn::Parameter> own = model.parameters();
  int64_t masks = 0;
  for (const nn::Parameter& p : own) masks += is_mask(p.name) ? p.value.numel() : 0;
  std::erase_if(own, [](const nn::Parameter& p) { return is_mask(p.name); });
  const std::vector<nn::Parameter> theirs = other.parameters();
  REQUIRE(own.size() == theirs.size());
  for (size_t i = 0; i < own.size(); ++i) {
    CHECK(own[i].name == theirs[i].name);
    CHECK((own[i].decay == theirs[i].decay || own[i].name == "pos_embed"));
    CHECK(own[i].value.to_vector() == theirs[i].value.to_vector());
  }
  CHECK(masks == c.depth * (c.width() + c.mlp_ratio * c.width()));
  CHECK(model.parameter_count() == model.params(model.subnets()[0]));
  CHECK(model.params(model.subnets()[0]) == other.params(other.subnets()[0]) + masks);
  CHECK(model.macs(model.subnets()[0]) == other.macs(other.subnets()[0]));
  CHECK(model.subnets()[0].name == other.subnets()[0].name);
  const Tensor images = images_of(2);
  const auto same = [&] {
    const nn::NoiseScope first(1, 2);
    const Tensor a = model.forward(images, model.subnets()[0]);
    const nn::NoiseScope second(1, 2);
    return apart(a, other.forward(images, other.subnets()[0]));
  };
  CHECK(same() < 1e-6);  // with dropout and stochastic depth
  const auto alone = model.extract(model.subnets()[0]);
  model.eval();
  other.eval();
  alone->eval();
  CHECK(same() < 1e-6);
  CHECK(model.forward(images, model.subnets()[0]).to_vector() == alone->forward(images, alone->subnets()[0]).to_vector());
}

TEST_CASE("slim search: a family of weight 0 rests: no gradient, no decay; the others are trained") {
  for (size_t resting = 0; resting < 3; ++resting) {
    SlimSearch model(tiny(), 1);
    double w[] = {0.1, 0.2, 0.3};
    w[resting] = 0;
    train::SlimRecipe recipe(model, {w[0], w[1], w[2]}, 0);
    data::Batch batch;
    batch.images = images_of(3);
    batch.targets = Tensor::full({3, 3}, 1.0 / 3);
    std::vector<std::vector<double>> before;
    const std::vector<nn::Parameter> parameters = model.parameters();
    for (const nn::Parameter& p : parameters) before.push_back(p.value.to_vector());
    recipe.passes(batch, 0, [](const models::Subnet&, const Tensor& loss) { loss.backward(); });
    train::OptimizerConfig decaying;
    decaying.weight_decay = 0.5;
    train::make_optimizer(parameters, decaying)->step(0.1, 1, {}, 0, train::live_parts(model, recipe.trains(0), false));
    for (size_t i = 0; i < parameters.size(); ++i) {
      const bool token = parameters[i].name.ends_with("patch_zeta"), mlp = parameters[i].name.ends_with("mlp.zeta");
      const size_t family = token ? 2 : (mlp ? 1 : 0);
      CHECK_MESSAGE((parameters[i].value.to_vector() == before[i]) == (is_mask(parameters[i].name) && family == resting),
                    parameters[i].name);
    }
  }
}

TEST_CASE("slim search: bad configurations are one line with what is possible") {
  for (const char* const masks : {"", "mlp,", "mlp,heads", "mlp,tokens,mlp"}) {
    CHECK(refused("masks", masks) ==
          concat("model: masks: expected attention, mlp and tokens, or some of them, as attention,mlp; found '", masks, "'"));
  }
  CHECK(refused("attention", "rows") == "model: attention: expected head-dims, heads or shared, found 'rows'");
  CHECK(refused("classifiers", "own") == "model: classifiers: expected shared, found 'own'");
  CHECK(refused("patch", "3") == "model: the patch must divide the image: 3 and 8");
  CHECK(refused("head_dim", "0").find("head_dim") != std::string::npos);
  CHECK(refused("heads", "257").find("heads") != std::string::npos);
  CHECK(refused("keep", "0.5").find("keep") != std::string::npos);
  models::Config huge = models::to_config(tiny());
  huge["heads"] = "256";
  huge["head_dim"] = "1024";
  huge["mlp_ratio"] = "64";
  huge["depth"] = "256";
  CHECK(error_of([&] { models::costs(huge); }).find("model: too large: ") == 0);
}
