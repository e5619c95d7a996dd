// Export and import: names and layouts against explicit index loops, logits that stay the same bits, files that stay the same
// bytes.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/hydravit.h"
#include "tests/data_fixtures.h"
#include "train/exchange/timm_safetensors.h"
#include "train/state/load.h"

using namespace hv;
using namespace hv::train;
using fixtures::TempDir;
using Json = nlohmann::json;

namespace {

Header header_of(const models::HydraViT& model) {
  Header header;
  header.model = model.config();
  for (int64_t i = 0; i < model.classes(); ++i) header.class_names.push_back(concat("class ", i));
  header.mean = {0.1, 1.0 / 3, 0.5};
  header.std = {0.2, 0.25, 1e-3};
  return header;
}

void save(const std::string& path, const models::HydraViT& model, bool average = false) {
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : model.parameters()) {
    tensors.push_back({"model." + p.name, p.value.detach()});
    if (average) tensors.push_back({"ema." + p.name, (p.value * 2).detach()});  // easily told apart
  }
  save_checkpoint(path, header_of(model), tensors);
}

std::vector<NamedTensor> parameters_of(const models::HydraViT& model) {
  std::vector<NamedTensor> parameters;
  for (const nn::Parameter& p : model.parameters()) parameters.push_back({p.name, p.value.detach()});
  return parameters;
}

// nano, cifar, and deit with one block.
std::vector<models::HydraViTConfig> shapes_of_interest() {
  std::vector<models::HydraViTConfig> all = {models::preset("nano"), models::preset("cifar"), models::preset("deit")};
  all[2].depth = 1;
  return all;
}

Tensor some_images(const models::HydraViTConfig& c) {
  Stream stream(5, Purpose::test);
  return Tensor::normal({2, c.channels, c.image, c.image}, 0, 1, stream);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous(), y = b.contiguous();
  return x.shape() == y.shape() && std::memcmp(x.data(), y.data(), sizeof(Real) * static_cast<size_t>(x.numel())) == 0;
}

}  // namespace

TEST_CASE("timm: names and shapes are the model's own") {
  for (const models::HydraViTConfig& c : shapes_of_interest()) {
    const models::HydraViT model(c, 1);
    const std::vector<nn::Parameter> parameters = model.parameters();
    const std::vector<TimmShape> shapes = timm_shapes(*models::plain_vit(model.config()));
    REQUIRE(shapes.size() == parameters.size());
    for (size_t i = 0; i < shapes.size(); ++i) {
      CHECK(shapes[i].name == parameters[i].name);
      CHECK(shapes[i].shape == parameters[i].value.shape());
    }
  }
}

TEST_CASE("timm: a width's tensors are leading rectangles, qkv rows are [q; k; v]") {
  const TempDir folder;
  const std::string path = folder / "a.ckpt";
  const models::HydraViTConfig c = models::preset("nano");
  const models::HydraViT model(c, 3);
  save(path, model, true);
  for (int64_t heads = 0; heads <= c.heads; heads = heads == 0 ? c.heads_min : heads + 1) {  // 0: the whole
    const int64_t width = (heads == 0 ? c.heads : heads) * c.head_dim;
    const TimmModel timm = load_timm(path, heads, false);
    CHECK(models::from_config(timm.config).heads_min == (heads == 0 ? c.heads_min : heads));
    for (const TimmTensor& tensor : timm.tensors) {
      const Tensor ours = model.parameter(tensor.name), packed = tensor.packed();
      REQUIRE(packed.shape() == tensor.shape);
      const int64_t rows = tensor.shape[0], inner = packed.numel() / rows, full_inner = ours.numel() / ours.size(0);
      // What one row of `ours` holds, by its own dimensions: [1, T, E] rows are T rows of E, [E, C, P, P] rows do not shrink.
      const bool positions = tensor.name == "pos_embed" || tensor.name == "cls_token";
      size_t wrong = 0;
      for (int64_t r = 0; r < rows; ++r) {
        int64_t from = r;
        if (tensor.name.find("qkv") != std::string::npos) {  // timm's row: part * width + head * head_dim + i
          const int64_t part = r / width, head = r % width / c.head_dim, i = r % c.head_dim;
          from = head * 3 * c.head_dim + part * c.head_dim + i;
        }
        for (int64_t j = 0; j < inner; ++j) {
          const int64_t at = positions ? j / width * c.width() + j % width : j;
          wrong += packed.data()[r * inner + j] != ours.data()[from * full_inner + at];
        }
      }
      INFO(tensor.name);
      CHECK(wrong == 0);
    }
  }
  CHECK(load_timm(path, 2, true).tensor("head.bias").shape == Shape{10});
  CHECK(load_timm(path, 2, true).tensor("norm.weight").value.data()[0] == 2);  // the average, here twice the weights
  CHECK_THROWS_WITH_AS(load_timm(path, 7, false),
                       doctest::Contains("--heads: 7 is outside the model; it runs with 2 to 6 heads"), Error);
  CHECK_THROWS_WITH_AS(load_timm(path, 1, false), doctest::Contains("--heads: 1 is outside the model"), Error);
}

TEST_CASE("timm: export, import, export: the same logits to the bit, the same file to the byte, at every width") {
  const TempDir folder;
  const std::string ckpt = folder / "a.ckpt", again = folder / "b.ckpt", out = folder / "a.safetensors",
                    twice = folder / "b.safetensors";
  const NoGrad off;
  for (const models::HydraViTConfig& c : shapes_of_interest()) {
    models::HydraViT model(c, 7);
    model.eval();
    save(ckpt, model);
    const Tensor images = some_images(c);
    for (int64_t heads = 0; heads <= c.heads; heads = heads == 0 ? c.heads_min : heads + (c.image > 32 ? c.heads : 1)) {
      write_timm_safetensors(out, load_timm(ckpt, heads, false));
      const TimmModel read = read_timm_safetensors(out);
      CHECK(read.class_names == header_of(model).class_names);
      CHECK(read.mean == header_of(model).mean);
      CHECK(read.std == header_of(model).std);
      const models::HydraViTConfig config = models::from_config(read.config);
      models::HydraViT other(config, 99);
      other.eval();
      REQUIRE(put_timm(read, out, read.config, parameters_of(other)));
      for (int64_t k = config.heads_min; k <= config.heads; k += 3) {
        INFO(c.depth, " blocks, exported ", heads, ", run with ", k);
        CHECK(same_bits(model.forward(images, k), other.forward(images, k)));
      }
      save(again, other);
      write_timm_safetensors(twice, load_timm(again, 0, false));
      CHECK(fixtures::read_bytes(out) == fixtures::read_bytes(twice));
    }
  }
}

TEST_CASE("timm: a narrow model is the leading rectangle of a wider one") {
  const TempDir folder;
  models::HydraViTConfig c = models::preset("nano");
  models::HydraViT wide(c, 1);
  c.heads = c.heads_min = 3;
  models::HydraViT narrow(c, 2);
  wide.eval();
  narrow.eval();
  save(folder / "a.ckpt", narrow);
  const TimmModel from = load_timm(folder / "a.ckpt", 0, false);
  const NoGrad off;
  const Tensor images = some_images(c), beyond = wide.parameter("blocks.1.attn.qkv.weight").slice(0, 9 * 16, 18 * 16).clone();
  REQUIRE(put_timm(from, "a", wide.config(), parameters_of(wide)));
  CHECK(same_bits(wide.forward(images, 3), narrow.forward(images, 3)));
  CHECK(same_bits(wide.parameter("blocks.1.attn.qkv.weight").slice(0, 9 * 16, 18 * 16), beyond));  // the rest is as it was

  SUBCASE("another number of classes: the classifier is left alone") {
    models::HydraViTConfig more = wide.settings();
    more.classes = 20;
    const models::HydraViT other(more, 5);
    const Tensor head = other.parameter("head.weight").clone();
    CHECK_FALSE(put_timm(from, "a", other.config(), parameters_of(other)));
    CHECK(same_bits(other.parameter("head.weight"), head));
    CHECK(same_bits(other.parameter("norm.weight").slice(0, 0, 48), narrow.parameter("norm.weight")));
  }
  SUBCASE("what does not fit") {
    const auto refused = [&](const std::function<void(models::HydraViTConfig&)>& change, const char* text) {
      models::HydraViTConfig to = wide.settings();
      change(to);
      const models::HydraViT other(to, 5);
      const Tensor before = other.parameter("cls_token").clone();
      CHECK_THROWS_WITH_AS(put_timm(from, "a", other.config(), parameters_of(other)), doctest::Contains(text), Error);
      CHECK(same_bits(other.parameter("cls_token"), before));
    };
    refused([](auto& to) { to.heads = to.heads_min = 2; },
            "a: 3 heads of 16, the model has 2 of 16; choose a model at least as wide");
    refused([](auto& to) { to.head_dim = 32; }, "a: 3 heads of 16, the model has 6 of 32");
    refused([](auto& to) { to.depth = 5; }, "a: 4 blocks, the model has 5");
    refused([](auto& to) { to.image = 64; }, "a: tensor pos_embed is [1, 65, 48], the model wants [1, 257, 48]");
    refused([](auto& to) { to.mlp_ratio = 4; }, "a: tensor blocks.0.mlp.fc1.weight is [96, 48], the model wants [192, 48]");
  }
}

TEST_CASE("timm: files of others are described by their tensors, or refused with what does not fit") {
  const TempDir folder;
  const std::string path = folder / "a.safetensors";
  models::HydraViTConfig c = models::preset("nano");
  c.heads = c.heads_min = 4;
  using Shapes = std::map<std::string, Shape>;
  const auto error_of = [&](const std::function<void(Shapes&, Metadata&)>& change, int64_t head_dim = 16) {
    Shapes shapes;
    Metadata metadata;
    for (const TimmShape& timm : timm_shapes(*models::plain_vit(models::to_config(c)))) shapes[timm.name] = timm.shape;
    change(shapes, metadata);
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, shape] : shapes) {
      tensors.push_back({name, "F32", shape, [n = numel(shape)](const Put& put) {
                           const std::vector<float> zeros(static_cast<size_t>(n));
                           put(zeros.data(), 4 * zeros.size());
                         }});
    }
    write_safetensors(path, metadata, std::move(tensors));
    const fixtures::Caught caught = fixtures::error_of([&] { describe_timm(path, read_safetensors_header(path), head_dim); });
    if (caught.code != 0) {
      CHECK(caught.code == 3);
      CHECK(caught.text.find(path + ": ") == 0);
      CHECK(caught.text.find('\n') == std::string::npos);
    }
    return caught.code == 0 ? "" : caught.text.substr(path.size() + 2);
  };
  CHECK(error_of([](Shapes&, Metadata&) {}) == "");
  const TimmModel model = read_timm_safetensors(path, 32);
  CHECK(model.config == [&] {
    models::HydraViTConfig two = c;
    two.head_dim = 32;
    two.heads = two.heads_min = 2;
    return models::to_config(two);
  }());
  CHECK(model.class_names[9] == "9");
  CHECK(model.mean[0] == 0.485);

  CHECK(error_of([](Shapes&, Metadata&) {}, 48) ==
        "its width 64 does not divide into heads of 48; say how wide a head is with --head-dim");
  CHECK(error_of([](Shapes& s, Metadata&) { s.erase("cls_token"), s.erase("head.weight"); }) ==
        "not a vision transformer in timm's layout: it lacks cls_token, head.weight");
  CHECK(error_of([](Shapes& s, Metadata&) {
          s["dist_token"] = {1, 1, 64}, s["head_dist.bias"] = {10};
        }) == "tensor pos_embed is [1, 65, 64]: expected one position for CLS, one for DIST and a square of patches");
  CHECK(error_of([](Shapes& s, Metadata&) { s.erase("blocks.1.norm1.bias"), s["blocks.0.ls1.gamma"] = {64}; }) ==
        "not the plain vision transformer: it lacks blocks.1.norm1.bias; it has more: blocks.0.ls1.gamma");
  CHECK(error_of([](Shapes& s, Metadata&) { s["blocks.7.norm1.bias"] = {64}; }).find("it lacks blocks.4.norm1.weight, ") !=
        std::string::npos);
  CHECK(error_of([](Shapes& s, Metadata&) {
          s["blocks.255.x"] = s["blocks.99999999999999999999.x"] = s["blocks."] = {1};
        }).find(" and ") != std::string::npos);
  CHECK(error_of([](Shapes& s, Metadata&) {
          s["blocks.2.attn.qkv.weight"] = {192, 63};
        }) == "tensor blocks.2.attn.qkv.weight is [192, 63], expected [192, 64]");
  CHECK(error_of([](Shapes& s, Metadata&) { s["cls_token"] = {64}; }) == "tensor cls_token is [64], expected 3 dimensions");
  CHECK(error_of([](Shapes& s, Metadata&) { s["cls_token"] = {1, 1, 0}; }).find("tensor cls_token is [1, 1, 0]") == 0);
  CHECK(error_of([](Shapes& s, Metadata&) {
          s["pos_embed"] = {1, 66, 64};
        }) == "tensor pos_embed is [1, 66, 64]: expected one position for CLS and a square of patches");
  CHECK(error_of([](Shapes& s, Metadata&) {
          s["blocks.0.mlp.fc1.weight"] = {100, 64};
        }).find("100 is no multiple of the width 64") != std::string::npos);

  const auto told = [&](const std::string& key, const std::string& value) {  // metadata with this `value`
    return error_of([&](Shapes&, Metadata& metadata) {
      metadata = models::to_config(c);
      metadata["mean"] = metadata["std"] = "0.5 0.5 0.5";
      metadata["class_names"] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
      metadata[key] = value;
    });
  };
  CHECK(told("note", "x") == "");
  CHECK(told("heads", "999999") == "metadata: model: heads: expected 1 to 256, found 999999");
  CHECK(told("heads", "x\n\033") == "metadata: model: heads: expected a number, found 'x  '");
  CHECK(told("heads", "5") == "tensor cls_token is [1, 1, 64], expected [1, 1, 80]");
  CHECK(told("depth", "3").find("it has more: blocks.3.attn.proj.bias") != std::string::npos);
  CHECK(told("class_names", "a\nb\n") == "metadata: class_names has 2 lines, the model has 10 classes");
  CHECK(told("mean", "0.5 0.5") == "metadata: mean: expected three numbers, found '0.5 0.5'");
  CHECK(told("mean", "0.5 nan 1") == "metadata: mean: expected three numbers, found '0.5 nan 1'");
  CHECK(told("std", "1 0 1") == "metadata: std: expected three numbers, found '1 0 1'");
}

TEST_CASE("timm: weights must be finite, pickled files are refused") {
  const TempDir folder;
  const std::string path = folder / "a.safetensors";
  models::HydraViT model(models::preset("nano"), 1);
  model.parameter("norm.bias").detach().mutable_data()[5] = INFINITY;
  save(folder / "a.ckpt", model);
  write_timm_safetensors(path, load_timm(folder / "a.ckpt", 0, false));
  CHECK_THROWS_WITH_AS(read_timm_safetensors(path),
                       doctest::Contains("tensor norm.bias holds inf at 5; weights must be finite"), Error);
  CHECK(is_safetensors(path));
  CHECK_FALSE(is_safetensors(folder / "a.ckpt"));
  CHECK_FALSE(is_safetensors(folder.path()));
  for (const std::string start : {"PK\x03\x04 a zip file", "\x80\x02}q\x01."}) {
    fixtures::write_text(path, start);
    CHECK_THROWS_WITH_AS(is_safetensors(path), doctest::Contains("unpickling can run code that the file holds"), Error);
    CHECK_THROWS_WITH_AS(is_safetensors(path), doctest::Contains("save_file("), Error);
  }
  const uint64_t length = 0x280;  // the length of a header may begin like a pickle
  fixtures::write_text(path, std::string(reinterpret_cast<const char*>(&length), 8) + "{}" + std::string(638, ' '));
  CHECK(is_safetensors(path));
}

TEST_CASE("timm: class names leave as UTF-8, whatever a folder was called") {
  const TempDir folder;
  const models::HydraViT model(models::preset("nano"), 1);
  Header header = header_of(model);
  header.class_names[0] = "gr\xC3\xBCn\xFF\xED\xA0\x80\xF0\x9F\x98\x80\xC3";
  std::vector<NamedTensor> tensors = parameters_of(model);
  for (NamedTensor& tensor : tensors) tensor.name = "model." + tensor.name;
  save_checkpoint(folder / "a.ckpt", header, tensors);
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(load_timm(folder / "a.ckpt", 0, false).class_names[0] ==
        "gr\xC3\xBCn" + bad + bad + bad + bad + "\xF0\x9F\x98\x80" + bad);
}

TEST_CASE("setup: a small file that describes a large model is refused before the model is built") {
  const TempDir folder;
  Header header;
  models::HydraViTConfig c = models::preset("deit");
  header.model = models::to_config(c);
  for (int i = 0; i < 1000; ++i) header.class_names.push_back("c");
  save_checkpoint(folder / "a.ckpt", header, {{"model.cls_token", Tensor::zeros({1, 1, 768})}});
  CHECK_THROWS_WITH_AS(load_model(folder / "a.ckpt", false),
                       doctest::Contains(" parameters and holds 768: is it a checkpoint of another model?"), Error);
}

TEST_CASE("program: export, import, info, train --init, eval --predictions") {
  const char* binary = std::getenv("HYDRAVIT_BINARY");
  if (!binary) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const TempDir folder;
  const auto run = [&, program = std::filesystem::absolute(binary).string()](const std::string& arguments, int code = 0) {
    const int status = std::system(
        concat("cd '", folder.path(), "' && unset HYDRAVIT_DATA && '", program, "' ", arguments, " >out 2>err </dev/null")
            .c_str());
    const auto text = [&](const char* name) {
      const std::vector<uint8_t> bytes = fixtures::read_bytes(folder / name);
      return std::string(bytes.begin(), bytes.end());
    };
    INFO(arguments, '\n', text("err"));
    CHECK((WIFEXITED(status) ? WEXITSTATUS(status) : -1) == code);
    return text("out") + text("err");
  };
  const auto has = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  models::HydraViT model(models::preset("nano"), 1);
  std::filesystem::create_directory(folder / "run");
  save(folder / "run/last.ckpt", model, true);
  fixtures::write_bytes(folder / "data/data_batch_1.bin", fixtures::make_records(8, 1, 10));
  fixtures::write_bytes(folder / "data/test_batch.bin", fixtures::make_records(60, 1, 10));

  has(run("export run --heads 3"), "run-heads3.safetensors: 3 heads, 81946 parameters, ");
  has(run("export run"), "run.safetensors: 2 to 6 heads, 311338 parameters, ");
  has(run("export run --heads all --out all.st"), "all.st: 2 to 6 heads");
  has(run("export run/last.ckpt --ema --heads 2"), "run-last-heads2-ema.safetensors: 2 heads");
  // Several widths: a file each, whatever the format.
  has(run("export run --heads 2,4-5 --out vit.st"), "vit-heads4.st: 4 heads, ");
  CHECK(read_timm_safetensors(folder / "vit-heads5.st").vit.heads == 5);
  CHECK_FALSE(std::filesystem::exists(folder / "vit.st"));
  has(run("export run --heads all --format onnx"), "run-heads6.onnx: 6 heads, ");
  const auto onnx = fixtures::read_bytes(folder / "run-heads2.onnx");
  has(run("export run --format onnx --heads 2 --out two.onnx"), "two.onnx: 2 heads, ");
  CHECK(fixtures::read_bytes(folder / "two.onnx") == onnx);
  run("export run --format onnx --heads all --out all.onnx");
  CHECK(fixtures::read_bytes(folder / "all-heads2.onnx") == onnx);
  has(run("export run --heads 9", 2), "--heads: 9 is outside the model; it runs with 2 to 6 heads");
  has(run("export run --format gguf", 2), "--format: 'gguf' is unknown; choose ");
  has(run("export run.safetensors", 3), "not a checkpoint");

  has(run("import run-heads3.safetensors --out a.ckpt"), "a.ckpt: 3 heads of 16, 4 blocks, 10 classes, 81946 parameters");
  run("export a.ckpt --out again.safetensors");
  CHECK(fixtures::read_bytes(folder / "again.safetensors") == fixtures::read_bytes(folder / "run-heads3.safetensors"));
  has(run("import run-heads3.safetensors --into-heads 5 --out wide.ckpt"), "wide.ckpt: 3 to 5 heads of 16");
  has(run("import run-heads3.safetensors --preset nano --out nano.ckpt"), "nano.ckpt: 2 to 6 heads of 16");
  has(run("import run-heads3.safetensors --preset deit", 2),
      "--preset: heads of 64, but run-heads3.safetensors says that its heads");
  has(run("import run-heads3.safetensors --head-dim 12", 2), "--head-dim: 12, but run-heads3.safetensors says");
  has(run("import run-heads3.safetensors --into-heads 2", 2), "--into-heads: 2, but run-heads3.safetensors has 3");
  has(run("import run-heads3.safetensors --heads-min 4", 2), "--heads-min: 4 is above 3");
  has(run("import a.ckpt", 3), "a.ckpt: not a safetensors file");
  has(run("train --resume a.ckpt", 3),
      "a.ckpt: holds weights alone, no run to go on with; start one from them with --init a.ckpt");

  // In the wider model the imported width computes the same logits.
  const std::string eval = " --data data --heads 3 --predictions ";
  run("eval a.ckpt" + eval + "a.p");
  run("eval wide.ckpt" + eval + "wide.p");
  CHECK(fixtures::read_bytes(folder / "a.p") == fixtures::read_bytes(folder / "wide.p"));
  const SafetensorsHeader seen = read_safetensors_header(folder / "a.p");
  REQUIRE(seen.tensors.size() == 3);
  CHECK(seen.tensors[0].name == "labels");
  CHECK(seen.tensors[1].name == "logits.heads3");
  CHECK(seen.tensors[1].shape == Shape{60, 10});
  CHECK(seen.tensors[2].shape == Shape{60, 3, 32, 32});
  CHECK(seen.metadata.at("mean") == triple_text(header_of(model).mean));

  const Json info = Json::parse(run("info run --json")), other = Json::parse(run("info run-heads3.safetensors --json"));
  CHECK(info["widths"].size() == 5);
  CHECK(info["widths"][1] == other["widths"][0]);
  CHECK(other["widths"][0]["macs_with_norms"] == 6562656 + 5 * 9 * 65 * 48);
  CHECK(other["model"]["head_dim"] == 16);
  CHECK(other["metadata"]["std"] == "0.2 0.25 0.001");
  has(run("info run-heads3.safetensors --tensors"), "blocks.0.attn.qkv.weight                     F32  [144, 48]");
  has(run("info run-heads3.safetensors"), ": safetensors, header and places verified (--verify checks every byte)");
  has(run("info run-heads3.safetensors --verify"), ": safetensors, every byte verified");
  has(run("info a.p"), "architecture unknown: not a vision transformer in timm's layout: it lacks cls_token");

  // A file that lost its metadata, as by a program that keeps none, does not say how wide a head is.
  const auto stripped = [&](const models::HydraViTConfig& c, const char* name) {
    const models::HydraViT source(c, 3);
    save(folder / "s.ckpt", source);
    const TimmModel timm = load_timm(folder / "s.ckpt", 0, false);
    std::vector<TensorToWrite> tensors;
    for (const TimmTensor& tensor : timm.tensors) {
      tensors.push_back({tensor.name, "F32", tensor.shape, [&](const Put& put) {
                           const Tensor packed = tensor.packed();
                           put(packed.data(), sizeof(float) * static_cast<size_t>(packed.numel()));
                         }});
    }
    write_safetensors(folder / name, {}, std::move(tensors));
  };
  models::HydraViTConfig four = models::preset("nano");
  four.depth = 1;
  four.heads = four.heads_min = 4;
  stripped(four, "four.st");
  has(run("import four.st", 3),
      "four.st: does not say how wide a head is, and heads of 64, as ViT and DeiT have, are unlikely: "
      "a single one in its width 64; import it with --head-dim");
  has(run("info four.st"), "architecture unknown: does not say how wide a head is");
  has(run("import four.st --head-dim 16 --out four.ckpt"),
      "NOTICE: the file does not say how wide a head is: its width 64 is "
      "taken as 4 heads of 16; nor how images are normalised");
  has(run("info four.ckpt"), "heads          4");
  four.heads = four.heads_min = 12;  // of 16 are 3 of 64, too
  stripped(four, "twelve.st");
  has(run("import twelve.st"),
      "its width 192 is taken as 3 heads of 64, as ViT and DeiT have (if that is wrong, give --head-dim)");
  has(run("info twelve.st"), "NOTICE: the file does not say how wide a head is: its width 192 is taken as 3 heads of 64");
  four.heads = four.heads_min = 8;
  stripped(four, "eight.st");
  has(run("import eight.st"), "2 heads of 64, although ViT and DeiT have 3, 6, 12 or 16 (if that is wrong");
  four.heads = four.heads_min = 5;
  stripped(four, "five.st");
  has(run("import five.st", 3), "are unlikely: no whole number in its width 80");

  const std::string train = "train --data data --steps 1 --batch-size 8 --lr 0 --preset ";
  has(run(train + "nano --heads 3 --init run-heads3.safetensors --out r1"),
      "NOTICE: run-heads3.safetensors holds 3 of the model's 6 heads: the rest starts anew");
  run("export r1 --heads 3 --out r1.safetensors");
  const auto weights = [&](const char* name) {
    const std::vector<NamedTensor> tensors =
        load_safetensors(folder / name, [](const std::string& t) { return t == "head.weight"; });
    return tensors.at(0).value;
  };
  CHECK(same_bits(weights("r1.safetensors"), weights("run-heads3.safetensors")));  // a step of learning rate 0 later
  run(train + "mlp --out r4");
  has(run("export r4", 2), "r4/last.ckpt: a model of kind mlp, which is no plain vision transformer");
  has(run("info r4"), "      1   256");
  four = models::preset("nano");
  four.heads = four.heads_min = 4;
  stripped(four, "init.st");
  has(run(train + "nano --init init.st --out r5 --report off"),
      "NOTICE: init.st: the file does not say how wide a head is: its width 64 is taken as 4 heads of 16, as the model has");
  models::HydraViTConfig more = models::preset("nano");
  more.classes = 20;
  save(folder / "more.ckpt", models::HydraViT(more, 1));
  has(run(train + "nano --init more.ckpt --out r2"),
      "NOTICE: more.ckpt tells 20 classes apart, the data have 10: the classifier");
  has(run(train + "nano --init data/test_batch.bin --out r3", 3), "data/test_batch.bin: not a checkpoint");
  has(run(train + "cifar --init a.ckpt --out r3", 3), "a.ckpt: 3 heads of 16, the model has 8 of 32");
}
