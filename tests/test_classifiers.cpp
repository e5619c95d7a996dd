// Separate classifiers: bands, every width against its extracted model, gradients, counts, resume, files.
#include <doctest/doctest.h>

#include <cmath>

#include "models/scala.h"
#include "models/thinking.h"
#include "tests/error_of.h"
#include "tests/golden.h"
#include "tests/trainer_fixtures.h"
#include "train/exchange/timm_safetensors.h"
#include "train/start/model_choice.h"
#include "train/state/load.h"

using namespace hv;
using namespace hv::test;
using models::Bands;
using models::Config;
using trainer_fixtures::Threads;

namespace {

// A model of four widths, small enough to run in a moment.
Config small(const std::string& kind, const std::string& classifiers) {
  Config config;
  if (kind == "hydravit") {
    models::HydraViTConfig c;
    c.patch = 8;
    c.depth = 1;
    c.head_dim = 8;
    c.heads_min = 1;
    c.heads = 4;
    config = models::to_config(c);
  } else if (kind == "thinking") {
    models::ThinkingConfig c;
    c.patch = 8;
    c.depth = 1;
    c.head_dim = 8;
    c.stages = {1, 2, 3, 4};
    config = models::to_config(c);
  } else {
    models::ScalaConfig c;
    c.patch = 8;
    c.depth = 1;
    c.width = 32;
    c.heads = 2;
    c.scale_dim = 16;
    c.grid = 4;
    c.smallest = 1;
    config = models::to_config(c);
  }
  if (!classifiers.empty()) config["classifiers"] = classifiers;
  return config;
}

// Heads that differ, as after training: each weight of a classifier by its own stream.
std::unique_ptr<models::ElasticModel> trained(const Config& config) {
  auto model = models::make_model(config, 7);
  const NoGrad off;
  uint64_t number = 0;
  for (const nn::Parameter& p : model->parameters()) {
    Stream stream(5, Purpose::test, ++number);
    if (p.name.rfind("head", 0) == 0) p.value.copy_(Tensor::normal(p.value.shape(), 0, 0.5, stream));
  }
  return model;
}

Tensor some_images() {
  Stream stream(3, Purpose::test);
  return Tensor::normal({2, 3, 32, 32}, 0, 1, stream);
}

std::vector<double> logits(models::ElasticModel& model, const models::Subnet& subnet) {
  const NoGrad off;
  return model.forward(some_images(), subnet).to_vector();
}

bool is_classifier(const nn::Parameter& p) { return p.name.rfind("head", 0) == 0; }

}  // namespace

TEST_CASE("classifiers: bands differ by at most one width, the first ones are larger; anything else is one line") {
  const std::vector<int64_t> widths = {8, 16, 24, 32, 40};
  const auto heads = [&](const std::string& text) {
    const Bands bands(text, widths);
    std::string served;
    for (int64_t id = 0; id < 5; ++id) served += concat(bands.head_of(id), ':', bands.width(bands.head_of(id)), ' ');
    return served;
  };
  CHECK(heads("shared") == "0:40 0:40 0:40 0:40 0:40 ");
  CHECK(heads("bands:1") == heads("shared"));
  CHECK(heads("bands:2") == "0:24 0:24 0:24 1:40 1:40 ");
  CHECK(heads("bands:3") == "0:16 0:16 1:32 1:32 2:40 ");
  CHECK(heads("bands:4") == "0:16 0:16 1:24 2:32 3:40 ");
  CHECK(heads("own") == "0:8 1:16 2:24 3:32 4:40 ");
  CHECK(heads("bands:5") == heads("own"));
  CHECK(Bands("shared", widths).names() == std::vector<std::string>{"head"});
  CHECK(Bands("bands:2", widths).names() == std::vector<std::string>{"heads.0", "heads.1"});
  for (const char* bad :
       {"bands:0", "bands:6", "bands:-1", "bands:", "bands:2x", "bands: 2", "bands:99999999999999999999", "one", ""}) {
    CHECK(error_of([&] { Bands(bad, widths); }) ==
          concat("model: classifiers: expected shared, own or bands:N with N from 1 to 5, the number of widths, found '", bad,
                 "'"));
  }
  CHECK(error_of([] { models::costs(small("scala", "bands:5")); }).find("from 1 to 4, the number of widths") !=
        std::string::npos);
}

TEST_CASE("classifiers: shared is what it was: configuration, names, weights") {
  const Threads threads;
  for (const char* kind : {"hydravit", "scala"}) {
    const Config usual = small(kind, "");
    const auto model = models::make_model(usual, 7), named = models::make_model(small(kind, "shared"), 7);
    CHECK(usual.count("classifiers") == 0);
    CHECK(named->config() == usual);
    CHECK(models::all_params(models::costs(usual)) == model->parameter_count());
    CHECK(models::classifier_table(models::costs(usual)).empty());
    // One band for all is the same model under another name; with more of them, all else and the first logits stay the same.
    const auto one = models::make_model(small(kind, "bands:1"), 7), own = models::make_model(small(kind, "own"), 7);
    CHECK(one->parameter("heads.0.weight").to_vector() == model->parameter("head.weight").to_vector());
    for (const nn::Parameter& p : model->parameters()) {
      if (!is_classifier(p)) CHECK_MESSAGE(own->parameter(p.name).to_vector() == p.value.to_vector(), p.name);
    }
    for (const models::Subnet& subnet : model->subnets()) {
      CHECK(logits(*one, subnet) == logits(*model, subnet));
      const bool leading = std::string(kind) == "hydravit" || subnet.id == 0 || subnet.id == 3;
      CHECK((logits(*own, subnet) == logits(*model, subnet)) == leading);
    }
  }
}

TEST_CASE("classifiers: every width is its extracted model, in logits and in counts; N bands of N widths are own") {
  const Threads threads;
  for (const char* kind : {"hydravit", "scala", "thinking"}) {
    for (const char* text : {"own", "bands:2", "bands:3"}) {
      CAPTURE(kind);
      CAPTURE(text);
      const Config config = small(kind, text);
      const auto model = trained(config);
      CHECK(model->config() == config);
      const std::vector<models::Cost> costs = models::costs(config), shared = models::costs(small(kind, ""));
      CHECK(models::all_params(costs) == model->parameter_count());
      CHECK(model->parameter_count() > costs.back().params);
      for (const models::Subnet& subnet : model->subnets()) {
        const auto alone = model->extract(subnet);
        CHECK(alone->config().count("classifiers") == 0);
        CHECK(alone->parameter("head.weight").size(1) == subnet.axes.at(1).value);
        const NoGrad off;
        CHECK(relative(alone->forward(some_images(), alone->subnets().back()), model->forward(some_images(), subnet)) < 1e-5);
        const models::Cost& cost = costs.at(static_cast<size_t>(subnet.id));
        CHECK(cost.params == model->params(subnet));
        CHECK(cost.params == alone->parameter_count());
        CHECK(cost.params == shared.at(static_cast<size_t>(subnet.id)).params);
        CHECK(cost.macs == alone->macs(alone->subnets().back()));
        int64_t used = 0, heads = 0;
        const std::vector<Tensor> parts = model->active(subnet);
        for (size_t i = 0; i < parts.size(); ++i) {
          used += parts[i].numel();
          heads += is_classifier(model->parameters()[i]) && parts[i].numel() > 0 ? 1 : 0;
        }
        CHECK(used == cost.params);
        CHECK(heads == (std::string(kind) == "scala" ? 4 : 2));  // weight and bias, of CLS and DIST
      }
      const auto table = models::classifier_table(costs);
      CHECK(table.size() == 1 + static_cast<size_t>(std::string(text) == "own" ? 4 : text[6] - '0'));
    }
    const auto own = trained(small(kind, "own")), four = trained(small(kind, "bands:4"));
    for (const models::Subnet& subnet : own->subnets()) CHECK(logits(*own, subnet) == logits(*four, subnet));
  }
}

TEST_CASE("classifiers: gradients by central differences; a head that is not used gets none") {
  const Threads threads;
  for (const char* kind : {"hydravit", "scala"}) {
    const auto model = trained(small(kind, "bands:2"));  // widths 0 and 1, widths 2 and 3
    Stream stream(9, Purpose::test);
    const Tensor slope = Tensor::normal({2, 10}, 0, 1, stream);
    for (const models::Subnet& subnet : {model->subnets()[0], model->subnets()[3]}) {
      model->zero_grad();
      sum(model->forward(some_images(), subnet) * slope).backward();
      const auto loss = [&] {
        const std::vector<double> found = logits(*model, subnet), c = slope.to_vector();
        double total = 0;
        for (size_t i = 0; i < c.size(); ++i) total += found[i] * c[i];
        return total;
      };
      for (const nn::Parameter& p : model->parameters()) {
        if (!is_classifier(p)) continue;
        CAPTURE(p.name);
        const std::vector<double> found =
            p.value.grad().defined() ? p.value.grad().to_vector() : std::vector<double>(static_cast<size_t>(p.value.numel()));
        double largest = 0;
        for (const double g : found) largest = std::max(largest, std::abs(g));
        const bool used = p.name.find(concat('.', subnet.id / 2, '.')) != std::string::npos;
        CHECK((largest > 0) == used);
        for (size_t i = 0; i < found.size();
             i += (found.size() + 2) / 3) {  // the loss is linear in these weights: any step will do
          Real& weight = p.value.mutable_data()[i];
          const Real before = weight;
          weight = before + 1;
          const double above = loss();
          weight = before - 1;
          CHECK(found[i] == doctest::Approx((above - loss()) / 2).epsilon(1e-4).scale(1));
          weight = before;
        }
      }
    }
  }
}

TEST_CASE("classifiers: resumed after any step, a run ends in the same bits; also with --active-only") {
  using namespace trainer_fixtures;
  const Threads threads;
  Config config = tiny_model();
  config["classifiers"] = "own";
  TrainOptions options = tiny_options();
  options.steps = 8;
  for (const bool active_only : {false, true}) {
    options.active_only = active_only;
    Run whole(options, "", false, {}, config);
    REQUIRE(whole.trainer.run() == Ending::finished);
    const Folder folder;
    for (int64_t step = 0; step < 8; ++step) {
      TrainOptions one = options;
      one.stop_after = 1;
      Run run(one, folder.path(), false, {}, config);
      if (step > 0) run.trainer.restore(load_checkpoint(folder / "last.ckpt"));
      run.trainer.run();
      if (step == 7) CHECK(run.state() == whole.state());
    }
    // The file is read back as the same model.
    const Loaded loaded = load_model(folder / "last.ckpt", false);
    CHECK(loaded.model->config() == config);
    for (const models::Subnet& subnet : loaded.model->subnets()) CHECK(logits(*loaded.model, subnet).size() == 20);
  }
}

TEST_CASE("classifiers: --classifiers is an option of models that have widths") {
  train::TrainOptions o;
  o.steps = 1;
  o.preset = "nano";
  const train::Fields fields = train::train_fields(o);
  const train::Field* option = train::find_field(fields, "classifiers");
  CHECK(train::model_config(o, 10).count("classifiers") == 0);
  option->set("bands:2");
  CHECK(train::model_config(o, 10).at("classifiers") == "bands:2");
  option->set("bands:6");
  CHECK(error_of([&] { train::check_model(o); }) ==
        "--classifiers: expected shared, own or bands:N with N from 1 to 5, the number of widths, found "
        "'bands:6'");
  o.preset = "mlp";
  CHECK(error_of([&] { train::check_model(o); }) == "--classifiers: preset mlp has none");
}

TEST_CASE("classifiers: a width's file holds its own one, the nested file all; into another model each takes its width's") {
  using namespace train;
  const Threads threads;
  const NoGrad off;
  const trainer_fixtures::Folder folder;
  const auto parameters_of = [](const models::ElasticModel& model, const std::string& prefix = "") {
    std::vector<NamedTensor> tensors;
    for (const nn::Parameter& p : model.parameters()) tensors.push_back({prefix + p.name, p.value.detach()});
    return tensors;
  };
  const auto save = [&](const models::ElasticModel& model) {
    Header header;
    header.model = model.config();
    for (int64_t i = 0; i < 10; ++i) header.class_names.push_back(concat(i));
    header.std = {1, 1, 1};
    save_checkpoint(folder / "a.ckpt", header, parameters_of(model, "model."));
  };
  const auto into = [&](const TimmModel& timm, const Config& config) {
    auto model = models::make_model(config, 99);
    REQUIRE(put_timm(timm, "a", config, parameters_of(*model)));
    return model;
  };
  for (const char* kind : {"hydravit", "scala"}) {
    CAPTURE(kind);
    for (const char* text : {"own", "bands:2"}) {
      const auto model = trained(small(kind, text));
      save(*model);
      const TimmSource source(folder / "a.ckpt", false);
      for (const models::Subnet& subnet : model->subnets()) {
        write_timm_safetensors(folder / "one", source.part(subnet));
        const TimmModel one = read_timm_safetensors(folder / "one");
        CHECK(one.config.count("classifiers") == 0);
        const auto alone = into(one, one.config);
        CHECK(relative(alone->forward(some_images(), alone->subnets()[0]), model->forward(some_images(), subnet)) < 1e-5);
      }
      write_timm_safetensors(folder / "all", source.whole());
      const TimmModel nested = read_timm_safetensors(folder / "all");
      CHECK(nested.config == model->config());
      const auto again = into(nested, nested.config), own = into(nested, small(kind, "own")),
                 shared = into(nested, small(kind, ""));
      CHECK(classifiers_notice(nested.vit, nested.vit).empty());
      for (const models::Subnet& subnet : model->subnets()) {
        CHECK(logits(*again, subnet) == logits(*model, subnet));
        if (std::string(kind) == "hydravit") CHECK(logits(*own, subnet) == logits(*model, subnet));
      }
      const models::Subnet& widest = model->subnets().back();
      CHECK(logits(*shared, widest) == logits(*model, widest));
      CHECK(classifiers_notice(nested.vit, *models::plain_vit(shared->config())) ==
            concat("it has ", text[0] == 'o' ? 4 : 2, " classifiers; the model's only one takes that of its widest width"));
    }
    // One for all goes into each: no width's logits change.
    const auto shared = trained(small(kind, ""));
    save(*shared);
    const auto own = into(load_timm(folder / "a.ckpt", 0, false), small(kind, "own"));
    for (const models::Subnet& subnet : own->subnets()) CHECK(logits(*own, subnet) == logits(*shared, subnet));
  }
  // A file that says another number of them than it holds.
  save(*trained(small("hydravit", "own")));
  TimmModel nested = load_timm(folder / "a.ckpt", 0, false);
  nested.config["classifiers"] = "bands:3";
  write_timm_safetensors(folder / "bad", nested);
  CHECK(error_of([&] { read_timm_safetensors(folder / "bad"); }).find("heads.0.weight is [10, 8], expected [10, 16]") !=
        std::string::npos);
}
