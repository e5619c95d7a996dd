// Export and import of models with sizes and rates of tokens: the whole model to the bit, every subnetwork alone, positions
// that find the table of their size. What ONNX files of them compute is compared in tests/parity/check_onnx.py.
#include <doctest/doctest.h>

#include "models/hydravit.h"
#include "models/positions.h"
#include "models/scala.h"
#include "models/supervit.h"
#include "tests/data_fixtures.h"
#include "tests/golden.h"
#include "tests/program.h"
#include "tests/trainer_fixtures.h"
#include "train/exchange/timm_safetensors.h"

using namespace hv;
using namespace hv::train;
using fixtures::Folder;
using models::Config;
using test::relative;

namespace {

// Images of 16 pixels, patches of 4; two widths where the kind has widths.
Config tiny(const std::string& kind) {
  Config config;
  if (kind == "scala") {
    models::ScalaConfig c;
    c.width = 24;
    c.heads = 2;
    c.scale_dim = 12;
    c.grid = 2;
    c.smallest = 1;
    config = models::to_config(c);
  } else if (kind == "supervit") {
    models::SuperViTConfig c;
    c.heads = 2;
    c.head_dim = 8;
    config = models::to_config(c);
  } else {
    models::HydraViTConfig c;
    c.heads = 2;
    c.heads_min = 1;
    c.head_dim = 8;
    config = models::to_config(c);
  }
  config["image"] = "16";
  config["depth"] = "3";
  config["classes"] = "3";
  return config;
}

Config with_views(Config config, const std::string& positions = "tables", const std::string& sizes = "8,16") {
  config["sizes"] = sizes;
  config["keep"] = "0.5,1";
  config["prune"] = "0,1";
  config["positions"] = positions;
  return config;
}

std::unique_ptr<models::ElasticModel> filled(const Config& config, uint64_t seed = 7) {
  auto model = models::make_model(config, 1);
  const NoGrad off;
  Stream stream(seed, Purpose::test);
  // No zeros and ones: they would hide a wrong place.
  for (const nn::Parameter& p : model->parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.1, 0.4, stream));
  return model;
}

std::vector<NamedTensor> parameters_of(const models::ElasticModel& model, const std::string& prefix = "") {
  std::vector<NamedTensor> parameters;
  for (const nn::Parameter& p : model.parameters()) parameters.push_back({prefix + p.name, p.value.detach()});
  return parameters;
}

void save(const std::string& path, const models::ElasticModel& model) {
  Header header;
  header.model = model.config();
  for (int64_t i = 0; i < model.classes(); ++i) header.class_names.push_back(concat("class ", i));
  header.mean = {0.1, 0.2, 0.5};
  header.std = {0.2, 0.25, 1e-3};
  save_checkpoint(path, header, parameters_of(model, "model."));
}

std::unique_ptr<models::ElasticModel> into(const TimmModel& timm, const Config& config) {
  auto model = filled(config, 99);
  REQUIRE(put_timm(timm, "a", config, parameters_of(*model)));
  return model;
}

Tensor some_images() {
  Stream stream(5, Purpose::test);
  return Tensor::normal({5, 3, 16, 16}, 0, 1, stream);
}

}  // namespace

TEST_CASE("exchange views: the whole model keeps its bytes, each subnetwork its logits") {
  const trainer_fixtures::Threads one;
  const Folder folder;
  const NoGrad off;
  const Tensor images = some_images();
  const std::string out = folder / "a.safetensors";
  for (const std::string kind : {"hydravit", "scala", "supervit"}) {
    for (const std::string positions : {"tables", "resized"}) {
      CAPTURE(kind);
      CAPTURE(positions);
      const auto model = filled(with_views(tiny(kind), positions));
      save(folder / "a.ckpt", *model);
      const TimmSource source(folder / "a.ckpt", false);
      write_timm_safetensors(out, source.whole());
      const TimmModel nested = read_timm_safetensors(out);
      CHECK(nested.config == model->config());
      const auto again = into(nested, nested.config);
      CHECK(positions_notice(nested.vit, nested.vit).empty());
      save(folder / "b.ckpt", *again);
      write_timm_safetensors(folder / "b.safetensors", load_timm(folder / "b.ckpt", 0, false));
      CHECK(fixtures::read_bytes(out) == fixtures::read_bytes(folder / "b.safetensors"));
      for (const models::Subnet& subnet : model->subnets()) {
        CAPTURE(subnet.name);
        CHECK(again->forward(images, subnet).to_vector() == model->forward(images, subnet).to_vector());
        const TimmModel part = source.part(subnet);
        const auto alone = into(part, part.config);
        REQUIRE(alone->subnets().size() == 1);
        CHECK(alone->image_size() == 16);
        CHECK(relative(alone->forward(images, alone->subnets()[0]), model->forward(images, subnet)) < 1e-5);
        CHECK(part.vit.in_timm() == (part.config.count("sizes") + part.config.count("keep") == 0));
      }
      const std::vector<models::Subnet> plain = timm_subnets(model->config(), model->subnets());
      CHECK(plain.size() == model->subnets().size() / 4);
      CHECK(plain.back().id == model->subnets().back().id);
      CHECK(load_timm(folder / "a.ckpt", model->subnets()[0].axes[0].value, false).tensor("pos_embed").shape[1] ==
            (kind == "supervit" ? 5
             : kind == "scala"  ? 18
                                : 17));  // the last view of that width, or here size
    }
  }
}

TEST_CASE("exchange views: positions go to the table of their size, other sizes get them resized") {
  const trainer_fixtures::Threads one;
  const Folder folder;
  const NoGrad off;
  const Tensor images = some_images();
  Config alone = tiny("hydravit");
  alone["heads_min"] = "2";
  const auto plain = filled(alone, 3);
  save(folder / "a.ckpt", *plain);
  const TimmModel file = load_timm(folder / "a.ckpt", 0, false);
  const Tensor table = plain->parameter("pos_embed");

  for (const char* kind : {"hydravit", "supervit"}) {  // both have the file's width
    const Config config = with_views(tiny(kind), "tables", "8,12,16");
    const auto model = into(file, config);
    CHECK(relative(model->forward(images, model->subnets().back()), plain->forward(images, plain->subnets()[0])) == 0);
    CHECK(model->parameter("pos_embed_list.2").to_vector() == table.to_vector());
    const Tensor small = model->parameter("pos_embed_list.0");  // [1, 1 + 2 x 2, 16]: CLS's, then the corners of 4 x 4
    for (const auto& [ours, theirs] : std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {1, 1}, {2, 4}, {3, 13}, {4, 16}}) {
      CHECK(small.select(1, ours).to_vector() == table.select(1, theirs).to_vector());
    }
    CHECK(positions_notice(file.vit, *models::plain_vit(config)) ==
          "the positions for images of 8, 12 pixels are those for 16, resized bilinearly with aligned corners");
  }
  // One table for all sizes is that of the largest; a subnetwork alone has it resized, as the model does.
  const auto shared = into(file, with_views(tiny("hydravit"), "resized"));
  CHECK(shared->parameter("pos_embed").to_vector() == table.to_vector());
  const auto tables = into(file, with_views(tiny("hydravit")));
  for (const models::Subnet& subnet : shared->subnets()) {
    if (models::width_of(subnet) < 16) continue;
    CHECK(relative(shared->forward(images, subnet), tables->forward(images, subnet)) < 1e-5);
  }
  // And back: a model of one size takes its own.
  save(folder / "b.ckpt", *tables);
  const TimmModel nested = load_timm(folder / "b.ckpt", 0, false);
  CHECK(into(nested, tiny("hydravit"))->parameter("pos_embed").to_vector() == table.to_vector());
  CHECK(positions_notice(nested.vit, file.vit) == "its positions for images of 8 pixels have no place in the model");

  const auto refused = [&](const Config& config) {
    const auto model = models::make_model(config, 1);
    const fixtures::Caught caught = fixtures::error_of([&] { put_timm(file, "a", config, parameters_of(*model)); });
    CHECK(caught.code == 3);
    return caught.text;
  };
  CHECK(refused(with_views(tiny("hydravit"), "tables", "8,12")) ==
        "a: tensor pos_embed is [1, 17, 16], the model wants [1, 5, 16] or [1, 10, 16]");
  CHECK(refused(with_views(tiny("supervit"), "resized", "8,12")) ==
        "a: tensor pos_embed is [1, 17, 16], the model wants [1, 10, 16]");
  // A file whose table is not what its metadata say.
  Config other = nested.config;
  other["sizes"] = "12,16";
  SafetensorsHeader header;
  header.metadata = other;
  for (const TimmTensor& tensor : nested.tensors) header.tensors.push_back({tensor.name, "F32", tensor.shape});
  const fixtures::Caught caught = fixtures::error_of([&] { describe_timm("a", header); });
  CHECK(caught.code == 3);
  CHECK(caught.text == "a: tensor pos_embed_list.0 is [1, 5, 16], expected [1, 10, 16]");
}

TEST_CASE("program: subnetworks of sizes and rates out and in") {
  using namespace program_fixtures;
  if (!Program::binary()) return;
  const Program program;
  const auto model = filled(with_views(tiny("hydravit")));
  save((program / "a.ckpt").string(), *model);
  const auto good = [&](const std::string& arguments) {
    const program_fixtures::Result result = program(arguments);
    INFO(arguments, '\n', result.err);
    CHECK(result.code == 0);
    return result.out + result.err;
  };
  const std::string two = good("export a.ckpt --heads 2");
  CHECK(contains(two, "a-heads2-px16-keep1.safetensors: 2 heads, "));
  CHECK(contains(two,
                 "NOTICE: 3 of 4 subnetworks resize images or drop tokens, which no model of timm's does, and are left out"));
  const std::string onnx = good("export a.ckpt --heads 1 --format onnx --out vit.onnx");
  for (const char* name : {"px8-keep0.5", "px8-keep1", "px16-keep0.5", "px16-keep1"}) {
    CHECK(contains(onnx, concat("vit-heads1-", name, ".onnx: 1 head, ")));
  }
  CHECK(contains(good("export a.ckpt --format onnx --subnets '*2-px8-keep0.5' --out one.onnx"), "one.onnx: 2 heads, "));
  check_refused(program("export a.ckpt --subnets 'heads2-px8-keep1'"), 2,
                "--format safetensors: heads2-px8-keep1 resizes images or drops tokens, which no model of timm's does");
  CHECK(contains(good("export a.ckpt"), "in timm: none, for it has no sizes of images and no rates of tokens"));
  CHECK(contains(good("info a.safetensors --tensors"), "pos_embed_list.1"));
  CHECK(contains(good("import a.safetensors --out b.ckpt"), "b.ckpt: 1 to 2 heads of 8, 3 blocks"));

  const auto super = filled(with_views(tiny("supervit")));
  save((program / "s.ckpt").string(), *super);
  check_refused(
      program("export s.ckpt --heads 8"), 2,
      "--format safetensors: they resize images or drop tokens, which no model of timm's does; export them with --format "
      "onnx, or the whole model with --heads all");
  // Heads of 16, as the preset's model has, whose images have 32 pixels.
  models::HydraViTConfig nano = models::preset("nano");
  nano.heads_min = nano.heads;
  save((program / "n.ckpt").string(), *filled(models::to_config(nano)));
  good("export n.ckpt");
  const std::string notice =
      "the positions for images of 16, 24 pixels are those for 32, resized bilinearly with aligned corners";
  CHECK(contains(good("import n.safetensors --preset supervit-nano --out c.ckpt"), "NOTICE: n.safetensors: " + notice));
  const std::string start = good(
      "train --preset supervit-nano --data data --steps 2 --stop-after 1 --eval-every 0 --ema 0 --batch-size 4 --train-limit 8 "
      "--threads 1 --init n.safetensors --out run");
  CHECK(contains(start, "NOTICE: n.safetensors: " + notice));
}
