// Export and import of models whose heads shrink, with and without a DIST token: files that stay the same bytes, logits that
// stay the same, a width that returns to its place, and files of others. HydraViT's are in test_interchange.cpp.
#include <doctest/doctest.h>

#include <cmath>

#include "models/kinds.h"
#include "models/scala.h"
#include "tests/data_fixtures.h"
#include "tests/error_of.h"
#include "tests/golden.h"
#include "tests/program.h"
#include "tests/trainer_fixtures.h"
#include "train/exchange/timm_safetensors.h"
#include "train/io/ranges.h"

using namespace hv;
using namespace hv::train;
using fixtures::Folder;
using test::relative;

namespace {

models::ScalaConfig tiny(bool distilled) {
  models::ScalaConfig c;
  c.image = 8;
  c.depth = 2;
  c.width = 24;
  c.heads = 2;
  c.scale_dim = 12;
  c.grid = 4;
  c.smallest = 1;
  c.classes = 3;
  c.distilled = distilled;
  return c;
}

// No zeros and ones: they would hide a wrong place.
void fill(const nn::Module& model, uint64_t seed) {
  const NoGrad off;
  Stream stream(seed, Purpose::test);
  for (const nn::Parameter& p : model.parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.2, 0.4, stream));
}

Tensor some_images(const models::ElasticModel& model) {
  Stream stream(5, Purpose::test);
  return Tensor::normal({3, 3, model.image_size(), model.image_size()}, 0, 1, stream);
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
  header.mean = {0.1, 1.0 / 3, 0.5};
  header.std = {0.2, 0.25, 1e-3};
  save_checkpoint(path, header, parameters_of(model, "model."));
}

// As a program that keeps no metadata would write it.
void write_foreign(const std::string& path, const TimmModel& timm) {
  std::vector<TensorToWrite> tensors;
  for (const TimmTensor& tensor : timm.tensors) {
    tensors.push_back({tensor.name, "F32", tensor.shape, [&](const Put& put) {
                         const Tensor packed = tensor.packed();
                         put(packed.data(), sizeof(float) * static_cast<size_t>(packed.numel()));
                       }});
  }
  write_safetensors(path, {}, std::move(tensors));
}

}  // namespace

TEST_CASE("exchange: every ratio, and the nested model: the same bytes after import, the same logits") {
  const trainer_fixtures::Threads one;  // models this small only wait for each other
  const Folder folder;
  const std::string ckpt = folder / "a.ckpt", out = folder / "a.safetensors", twice = folder / "b.safetensors";
  const NoGrad off;
  for (const int variant : {0, 1, 2}) {  // without DIST; with it; and with ends of their own
    models::ScalaConfig c = tiny(variant > 0);
    c.literal_ends = variant == 2;
    if (variant == 2) c.smallest = 2;
    models::Scala model(c, 1);
    fill(model, 7);
    save(ckpt, model);
    const Tensor images = some_images(model);
    const auto exported_again = [&](double ratio) {
      write_timm_safetensors(out, load_timm(ckpt, ratio, false));
      const TimmModel read = read_timm_safetensors(out);
      auto other = models::make_model(read.config, 99);
      REQUIRE(put_timm(read, out, read.config, parameters_of(*other)));
      save(folder / "b.ckpt", *other);
      write_timm_safetensors(twice, load_timm(folder / "b.ckpt", 0, false));
      CHECK(fixtures::read_bytes(out) == fixtures::read_bytes(twice));
      CHECK(read.vit.scale_dim == read.vit.head_size());  // timm knows no other
      CHECK(read.vit.eps == 1e-5);
      CHECK(read.vit.distilled == c.distilled);
      return other;
    };
    for (const models::Subnet& subnet : model.subnets()) {
      CAPTURE(subnet.label);
      const auto alone = exported_again(subnet.axes[0].value);
      CHECK(alone->subnets().size() == 1);
      CHECK(relative(alone->forward(images, alone->subnets()[0]), model.forward(images, subnet)) < 1e-5);
    }
    const auto nested = exported_again(0);
    CHECK(nested->config() == model.config());
    for (const models::Subnet& subnet : model.subnets()) {
      CHECK(relative(nested->forward(images, subnet), model.forward(images, subnet)) == 0);
    }
  }
  CHECK(test::error_of([&] { load_timm(ckpt, 0.3, false); }) ==
        "--heads: 0.3 is outside the model; it runs with 0.5 to 1 ratio");
}

TEST_CASE("exchange: a middle ratio is the last rows and columns, its queries multiplied by what timm leaves out") {
  const Folder folder;
  models::Scala model(tiny(true), 1);
  fill(model, 3);
  save(folder / "a.ckpt", model);
  const TimmModel timm = load_timm(folder / "a.ckpt", 0.5, false);
  const Tensor ours = model.parameter("blocks.1.attn.qkv.weight"), theirs = timm.tensor("blocks.1.attn.qkv.weight").packed();
  const int64_t e = 24, p = 12;  // heads of 12 and of 6
  REQUIRE(theirs.shape() == Shape{3 * p, p});
  double worst = 0;
  for (int64_t r = 0; r < 3 * p; ++r) {
    for (int64_t j = 0; j < p; ++j) {
      const double expected = ours.at({3 * e - 3 * p + r, e - p + j}) * (r < p ? std::sqrt(6.0 / 12) : 1);
      worst = std::max(worst, std::abs(theirs.at({r, j}) - expected));
    }
  }
  CHECK(worst < 1e-7);
  CHECK(timm.tensor("dist_token").packed().at({0, 0, 0}) == model.parameter("dist_token").at({0, 0, p}));
  CHECK(timm.tensor("head_dist.weight").packed().at({2, 0}) == model.parameter("head_dist.weight").at({2, p}));
  CHECK(timm_hint(timm.vit) ==
        "timm.models.deit.VisionTransformerDistilled(img_size=8, patch_size=4, in_chans=3, embed_dim=12, depth=2, num_heads=2, "
        "mlp_ratio=2, num_classes=3, norm_layer=partial(nn.LayerNorm, eps=1e-05))");
}

TEST_CASE("exchange: a width returns to its part of a nested model; what fits nowhere is refused") {
  const trainer_fixtures::Threads one;  // models this small only wait for each other
  const Folder folder;
  const NoGrad off;
  models::Scala model(tiny(true), 1), other(tiny(true), 2);
  fill(model, 3);
  save(folder / "a.ckpt", model);
  const Tensor images = some_images(model);
  for (const double ratio : {0.25, 0.5, 1.0}) {
    const TimmModel from = load_timm(folder / "a.ckpt", ratio, false);
    fill(other, 4);
    const Tensor beyond = other.parameter("norm.weight").clone();
    REQUIRE(put_timm(from, "a", other.config(), parameters_of(other)));
    CHECK(relative(other.forward(images, other.subnet(ratio)), model.forward(images, model.subnet(ratio))) < 1e-5);
    int64_t kept = 0;
    for (int64_t i = 0; i < 24; ++i) kept += other.parameter("norm.weight").at({i}) == beyond.at({i});
    CHECK(kept == static_cast<int64_t>(24 * (1 - ratio)));
  }
  const TimmModel half = load_timm(folder / "a.ckpt", 0.5, false);
  const auto refused = [&](const models::ScalaConfig& c) {
    const models::Scala to(c, 1);
    return test::error_of([&] { put_timm(half, "a", to.config(), parameters_of(to)); });
  };
  models::ScalaConfig c = tiny(true);
  c.width = 40;
  CHECK(refused(c) == "a: 2 heads of 6, the model has 2 of 20 and none of its widths is 12");
  c.width = 8;
  CHECK(refused(c) == "a: 2 heads of 6, the model has 2 of 4; choose a model at least as wide");
  CHECK(refused(tiny(false)) == "a: has a DIST token, the model has none; choose a model as the file");
}

TEST_CASE("exchange: a distilled DeiT is a Scala of one ratio; what is no such thing is refused with one line") {
  const trainer_fixtures::Threads one;  // models this small only wait for each other
  const Folder folder;
  const std::string path = folder / "a.safetensors";
  const NoGrad off;
  models::ScalaConfig c = tiny(true);
  c.grid = c.smallest = 1;
  c.eps = 1e-6;
  models::Scala deit(c, 1);
  fill(deit, 3);
  save(folder / "a.ckpt", deit);
  TimmModel timm = load_timm(folder / "a.ckpt", 0, false);
  write_foreign(path, timm);
  const TimmModel read = read_timm_safetensors(path, 12);
  CHECK(read.config.at("model") == "scala");
  CHECK(read.config.at("eps") == "1e-06");
  const auto model = models::make_model(read.config, 0);
  REQUIRE(put_timm(read, path, read.config, parameters_of(*model)));
  const Tensor images = some_images(deit);
  CHECK(relative(model->forward(images, model->subnets()[0]), deit.forward(images, deit.subnets()[0])) == 0);
  CHECK(describe_timm(path, read_safetensors_header(path), {12, 1e-5}).config.at("eps") == "1e-05");

  const auto error = [&](const std::function<void(std::map<std::string, Shape>&, Metadata&)>& change) {
    std::map<std::string, Shape> shapes;
    for (const TimmShape& tensor : timm_shapes(timm.vit)) shapes[tensor.name] = tensor.shape;
    SafetensorsHeader header;
    change(shapes, header.metadata);
    for (const auto& [name, shape] : shapes) header.tensors.push_back({name, "F32", shape});
    const fixtures::Caught caught = fixtures::error_of([&] { describe_timm("a", header, 12); });
    CHECK((caught.code == 0 || (caught.code == 3 && caught.text.rfind("a: ", 0) == 0)));
    CHECK(caught.text.find('\n') == std::string::npos);
    return caught.code == 0 ? "" : caught.text.substr(3);
  };
  using Shapes = std::map<std::string, Shape>;
  CHECK(error([](Shapes&, Metadata&) {}) == "");
  CHECK(error([](Shapes& s, Metadata&) { s.erase("head_dist.weight"), s.erase("head_dist.bias"); }) ==
        "not the distilled vision transformer: it lacks head_dist.weight, head_dist.bias");
  CHECK(error([](Shapes& s, Metadata&) { s.erase("dist_token"); }) ==
        "not the distilled vision transformer: it lacks dist_token");
  CHECK(error([](Shapes& s, Metadata&) {
          s["dist_token"] = {1, 1, 12};
        }) == "tensor dist_token is [1, 1, 12], expected [1, 1, 24]");
  CHECK(error([](Shapes& s, Metadata&) {
          s["head_dist.weight"] = {4, 24};
        }) == "tensor head_dist.weight is [4, 24], expected [3, 24]");
  CHECK(error([](Shapes& s, Metadata&) {
          s["pos_embed"] = {1, 5, 24};
        }) == "tensor pos_embed is [1, 5, 24]: expected one position for CLS, one for DIST and a square of patches");
  const auto told = [&](const std::string& key, const std::string& value) {
    return error([&](Shapes&, Metadata& metadata) {
      metadata = deit.config();
      metadata["mean"] = metadata["std"] = "0.5 0.5 0.5";
      metadata["class_names"] = "a\nb\nc\n";
      metadata[key] = value;
      if (value.empty()) metadata.erase(key);
    });
  };
  CHECK(told("note", "x") == "");
  CHECK(told("model", "mlp") == "");  // no vision transformer: the tensors are asked
  CHECK(told("distilled", "off") == "tensor pos_embed is [1, 6, 24], expected [1, 5, 24]");
  CHECK(told("distilled", "2") == "metadata: model: distilled: expected on or off, found '2'");
  CHECK(told("eps", "") == "metadata: model: the configuration lacks 'eps'");
  CHECK(told("eps", "0") == "metadata: model: eps: expected 1e-12 to 0.1, found 0");
  CHECK(told("eps", "nan") == "metadata: model: eps: expected 1e-12 to 0.1, found nan");
  CHECK(told("grid", "7").find("metadata: model: width 24 over 7 steps is no whole number of 2 heads") == 0);
  CHECK(told("smallest", "2") == "metadata: model: smallest 2 above grid 1");
  CHECK(told("class_names", "a\n") == "metadata: class_names has 1 lines, the model has 3 classes");
}

TEST_CASE("exchange: the authors' weights of Scala, read as a file of timm's names, have the authors' logits") {
  if (!test::have_golden("scala/weights")) return;
  const NoGrad off;
  const test::Golden forward("scala/forward");
  for (const bool distilled : {true, false}) {
    const std::string file = distilled ? "scala/weights" : "scala/plain_weights";
    const std::string path = test::golden_folder(file) + "/" + file + ".safetensors";
    const TimmModel read = read_timm_safetensors(path, {16, 1e-5});
    const auto alone = models::make_model(read.config, 0);
    REQUIRE(put_timm(read, path, read.config, parameters_of(*alone)));
    const Tensor logits = alone->forward(forward["images"], alone->subnets()[0]);
    CHECK(relative(logits, forward[distilled ? "logits.1.avg" : "plain.logits.1"]) < test::kLogits);
    models::ScalaConfig c = models::scala_from_config(read.config);
    c.grid = 16;
    c.smallest = 4;
    models::Scala nested(c, 0);
    REQUIRE(put_timm(read, path, nested.config(), parameters_of(nested)));
    const Tensor half = nested.forward(forward["images"], nested.subnet(0.5));
    CHECK(relative(half, forward[distilled ? "logits.0.5.avg" : "plain.logits.0.5"]) < test::kLogits);
  }
}

TEST_CASE("exchange: lists and ranges of ratios") {
  const std::vector<double> grid = {0.25, 0.5, 0.75, 1}, thirds = {1.0 / 3, 2.0 / 3, 1}, heads = {3, 4, 5}, stages = {3, 6};
  const auto chosen = [](const std::string& text, const std::vector<double>& values) {
    std::string bits;
    for (const bool one : choose_values("--heads", text, values, "the model; it runs with ", "ratio")) bits += one ? '1' : '0';
    return bits;
  };
  const auto error = [&](const std::string& text, const std::vector<double>& values) {
    return test::error_of([&] { chosen(text, values); });
  };
  CHECK(chosen("0.5", grid) == "0100");
  CHECK(chosen("1,0.25", grid) == "1001");
  CHECK(chosen("0.3-0.8", grid) == "0110");
  CHECK(chosen("0.25-0.5,1", grid) == "1101");
  CHECK(chosen("0.333333,1", thirds) == "101");
  CHECK(chosen("3-6", stages) == "11");
  CHECK(chosen("3,5", heads) == "101");
  CHECK(error("0.3", grid) == "--heads: 0.3 is outside the model; it runs with 0.25, 0.5, 0.75, 1 ratio");
  CHECK(error("0.3-0.4", grid) == "--heads: 0.3-0.4 is outside the model; it runs with 0.25, 0.5, 0.75, 1 ratio");
  CHECK(error("0.5,0.25-1", grid) == "--heads: '0.5,0.25-1' names a width twice; use --weights to draw one more often");
  CHECK(error("3-6", heads) == "--heads: 6 is outside the model; it runs with 3 to 5 ratio");
  CHECK(error("3.5", heads) == "--heads: '3.5' is no list of heads; write 3-8, 3,5,8 or all");
  for (const char* bad : {"x", "0.5-", "-0.5", "0.5-0.25", "0.5,,1", "nan", "inf", "0", "0.5;1", "0.25-inf"}) {
    CHECK(error(bad, grid) == concat("--heads: '", bad, "' is no list of values of ratio; write 0.25-1, 0.25,1 or all"));
  }
}

TEST_CASE("program: a Scala out and in, by ratios") {
  using namespace program_fixtures;
  if (!Program::binary()) return;
  const Program program;
  models::Scala model(models::scala_from_config(models::named_model("scala-nano", 10)), 1);
  save((program / "a.ckpt").string(), model);
  const auto good = [&](const std::string& arguments) {
    const program_fixtures::Result result = program(arguments);
    INFO(arguments, '\n', result.err);
    CHECK(result.code == 0);
    return result.out + result.err;
  };
  const auto has = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(contains(text, part));
  };
  has(good("export a.ckpt --heads 0.25,0.5"), "in timm: timm.models.deit.VisionTransformerDistilled(img_size=32");
  has(good("export a.ckpt"), "a.safetensors: 0.25 to 1 ratio, 312500 parameters");
  has(good("export a.ckpt --heads 0.5 --format onnx"), "a-ratio0.5.onnx: 6 heads, ");
  check_refused(program("export a.ckpt --heads 0.3"), 2,
                "--heads: 0.3 is outside the model; it runs with 0.25, 0.3125, 0.375, ");
  has(good("import a-ratio0.5.safetensors --out half.ckpt"), "half.ckpt: 6 heads of 8, 4 blocks, 10 classes, ");
  has(good("import a-ratio0.5.safetensors --preset scala-nano --out wide.ckpt"), "wide.ckpt: 0.25 to 1 ratio of width 96, ");
  check_refused(program("import a-ratio0.5.safetensors --preset nano"), 2, "--preset: heads of 16, but a-ratio0.5");
  check_refused(program("import a-ratio0.5.safetensors --into-heads 8"), 2, "--into-heads, --heads-min: a model of kind scala");
  check_refused(program("import a.safetensors --heads 0.5"), 2, "--heads: a model of kind scala has its widths by --preset");
  const std::string eval = "eval a.ckpt --data data --limit 20 --heads 0.5 --json";
  const std::string table = good(eval);
  CHECK(contains(table, "\"ratio\":0.5"));
  has(good("train --preset scala-nano --data data --steps 1 --batch-size 4 --train-limit 8 --eval-limit 8 --report off --heads "
           "0.5,1 --init a-ratio0.5.safetensors --out run"),
      "NOTICE: a-ratio0.5.safetensors holds 48 of the model's 96 columns: the rest starts anew");
  has(good("info a-ratio0.5.safetensors"), "eps            1e-05");
}
