// Models whose blocks have sizes of their own, as files: whole and by budget, to the byte and back; timm's layout where blocks
// are alike; ONNX graphs, read back; hostile metadata. What other programs compute is compared in tests/parity/check_slim.py.
#include <doctest/doctest.h>

#include <map>
#include <set>

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include "models/kinds.h"
#include "tests/data_fixtures.h"
#include "tests/error_of.h"
#include "tests/program.h"
#include "train/exchange/layers.h"
#include "train/exchange/timm_safetensors.h"
#include "train/onnx/write.h"
#include "train/state/load.h"

using namespace hv;
using namespace hv::train;
using fixtures::Folder;
using models::Config;
using test::error_of;

namespace {

// Three blocks of three heads of at most 8, on a width of 24; 17 tokens. In the second one no attention is left, in the third
// no hidden unit, in both budgets.
const Config kCut = {{"model", "slim"},
                     {"image", "16"},
                     {"patch", "4"},
                     {"channels", "3"},
                     {"depth", "3"},
                     {"mlp_ratio", "2"},
                     {"classes", "4"},
                     {"drop_path", "0"},
                     {"dropout", "0"},
                     {"init", "trunc_normal"},
                     {"width", "24"},
                     {"head_dim", "8"},
                     {"budgets", "0.5,0.9"},
                     {"head_dims", "5,0,8/0,0,0/1,2,3;8,1,8/0,0,0/7,8,3"},
                     {"hidden", "9,20,0;30,48,0"},
                     {"life", "3,2,3,0,1,3,3,2,2,3,1,3,3,0,3,3,3"}};

Config with(Config config, const Config& others) {
  for (const auto& [key, value] : others) config[key] = value;
  return config;
}
const Config kAlike =
    with(kCut, {{"budgets", "1"}, {"head_dims", "8,8,8/8,8,8/8,8,8"}, {"hidden", "31,31,31"}, {"life", "all"}});
const Config kMasked = with(kCut, {{"tokens_by", "masked"}});

std::unique_ptr<models::ElasticModel> filled(const Config& config) {
  auto model = models::make_model(config, 1);
  const NoGrad off;
  Stream stream(7, Purpose::test);
  for (const nn::Parameter& p : model->parameters()) p.value.copy_(Tensor::normal(p.value.shape(), 0.1, 0.4, stream));
  model->eval();
  return model;
}

void save(const std::string& path, const models::ElasticModel& model) {
  Header header;
  header.model = model.config();
  header.class_names = {"ant", "bee", "cat", "dog"};
  header.mean = {0.1, 0.2, 0.5};
  header.std = {0.2, 0.25, 1e-3};
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : model.parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
  save_checkpoint(path, header, tensors);
}

// As `import` does.
std::unique_ptr<models::ElasticModel> imported(const std::string& path) {
  const TimmModel file = read_timm_safetensors(path);
  auto model = models::make_model(file.config, 3);
  for (const NamedTensor& tensor : our_parameters(file)) {
    REQUIRE(model->parameter(tensor.name).shape() == tensor.value.shape());
    model->parameter(tensor.name).copy_(tensor.value);
  }
  model->eval();
  return model;
}

}  // namespace

TEST_CASE("exchange slim: whole and by budget, the file becomes the same model, and that the same file") {
  const Folder folder;
  const NoGrad off;
  Stream stream(5, Purpose::test);
  const Tensor images = Tensor::normal({3, 3, 16, 16}, 0, 1, stream);
  for (const Config& config : {kCut, kMasked, kAlike}) {
    const auto model = filled(config);
    save(folder / "a.ckpt", *model);
    const TimmSource source(folder / "a.ckpt", false);
    std::vector<TimmModel> files{source.whole()};
    for (const models::Subnet& subnet : model->subnets()) files.push_back(source.part(subnet));
    for (size_t i = 0; i < files.size(); ++i) {
      write_timm_safetensors(folder / "a.safetensors", files[i]);
      const auto again = imported(folder / "a.safetensors");
      CHECK(again->config() == files[i].config);
      const models::Subnet& subnet = model->subnets()[i == 0 ? model->subnets().size() - 1 : i - 1];
      const std::vector<double> expected =
          (i == 0 ? *model : *model->extract(subnet)).forward(images, i == 0 ? subnet : again->subnets()[0]).to_vector();
      CHECK(again->forward(images, again->subnets().back()).to_vector() == expected);
      save(folder / "b.ckpt", *again);
      write_timm_safetensors(folder / "b.safetensors", TimmSource(folder / "b.ckpt", false).whole());
      CHECK(fixtures::read_bytes(folder / "a.safetensors") == fixtures::read_bytes(folder / "b.safetensors"));
    }
    const bool alike = config == kAlike;
    CHECK(files[0].layers.has_value() != alike);
    CHECK(timm_hint(files[0]).starts_with(alike ? "timm.models.VisionTransformer(img_size=16, patch_size=4, in_chans=3, "
                                                  "embed_dim=24, depth=3, num_heads=3, mlp_ratio=1.3125,"
                                                : "none, for its blocks differ"));
    if (alike) {  // timm's rows are [q; k; v], ours (head, {q, k, v}, size)
      const Tensor timm = files[0].tensor("blocks.1.attn.qkv.bias").packed(), ours = model->parameter("blocks.1.attn.qkv.bias");
      CHECK(timm.at({24 + 8 + 3}) == ours.at({(1 * 3 + 1) * 8 + 3}));  // k of head 1
    }
    // It fits into no other model, and load_timm(), which --init reads with, takes plain ones alone.
    const Config plain = models::named_model("nano", 4);
    if (!alike)
      CHECK(error_of([&] { put_timm(files[0], "a", plain, {}); }).starts_with("a: its blocks have sizes of their own"));
    CHECK(error_of([&] { load_timm(folder / "a.ckpt", 0, false); }) ==
          folder / "a.ckpt: a model of kind slim, which is no plain vision transformer");
  }
  // What does not quite fit timm.
  for (const Config& other :
       {Config{{"head_dims", "8,8,8/8,8,7/8,8,8"}}, Config{{"hidden", "31,31,30"}}, Config{{"hidden", "0,0,0"}},
        Config{{"head_dim", "16"}}, Config{{"head_dims", "4,4,4/4,4,4/4,4,4"}}, Config{{"life", kCut.at("life")}}}) {
    CHECK(!models::layered_vit(with(kAlike, other))->plain());
  }
}

TEST_CASE("exchange slim: an ONNX graph has the bytes of the budget, no part that was cut, and tokens by constant places") {
  const Folder folder;
  for (const Config& config : {kCut, kMasked}) {
    const bool masked = config == kMasked;
    const auto model = filled(config);
    save(folder / "a.ckpt", *model);
    const TimmSource source(folder / "a.ckpt", false);
    CHECK(error_of([&] { write_onnx(folder / "a.onnx", source.whole()); }) ==
          "--heads: an ONNX file computes one width; name it: 0.5 to 0.9");
    for (const models::Subnet& subnet : model->subnets()) {
      write_onnx(folder / "a.onnx", source.part(subnet));
      onnx::ModelProto file;
      REQUIRE(file.ParseFromString(program_fixtures::slurp(folder / "a.onnx")));
      std::map<std::string, std::string> metadata;
      for (const auto& entry : file.metadata_props()) metadata[entry.key()] = entry.value();
      const auto alone = model->extract(subnet);
      CHECK(metadata["head_dims"] == alone->config().at("head_dims"));
      CHECK(metadata["class_names"] == "ant\nbee\ncat\ndog\n");
      // Every value has one name and one origin before its first use; every value is used; no constant is empty.
      std::set<std::string> known{"images"}, used{"logits"};
      std::map<std::string, int> operators;
      std::map<std::string, const onnx::TensorProto*> constants;
      for (const auto& initializer : file.graph().initializer()) {
        CHECK(known.insert(initializer.name()).second);
        CHECK(!initializer.raw_data().empty());
        constants[initializer.name()] = &initializer;
      }
      for (const auto& node : file.graph().node()) {
        ++operators[node.op_type()];
        for (const std::string& input : node.input()) {
          CHECK_MESSAGE(known.count(input) == 1, input);
          used.insert(input);
        }
        for (const std::string& output : node.output()) CHECK(known.insert(output).second);
      }
      CHECK(used == known);
      CHECK(operators["Softmax"] == (subnet.id == 0 ? 2 + 3 : 3 + 3));  // a head each that is left
      CHECK(operators["Split"] == 2);
      CHECK(operators["Erf"] == 2);
      CHECK(operators["Gather"] == (masked ? 1 : 4));  // the classifier's token; before each block some tokens leave
      CHECK(constants.count("number.mask.blocks.1") == (masked ? 1 : 0));
      int64_t bytes = 0;
      for (const nn::Parameter& p : alone->parameters()) {
        const auto found = constants.find(p.name);
        const bool gone = p.name.starts_with("blocks.1.attn.qkv") || p.name == "blocks.1.attn.proj.weight" ||
                          p.name.starts_with("blocks.1.norm1") || p.name.starts_with("blocks.2.mlp.fc1") ||
                          p.name == "blocks.2.mlp.fc2.weight" || p.name.starts_with("blocks.2.norm2");
        CHECK_MESSAGE((found == constants.end()) == gone, p.name);
        if (gone) continue;
        const std::string expected(reinterpret_cast<const char*>(p.value.data()),
                                   static_cast<size_t>(p.value.numel()) * sizeof(Real));
        CHECK(found->second->raw_data() == expected);
        bytes += std::ssize(expected);
      }
      CHECK(bytes > 0);
      if (masked) continue;
      const std::string& places = constants.at("shape.places.blocks.1")->raw_data();  // among the 15 of the first block
      CHECK(places.size() == 13 * sizeof(int64_t));
      const auto* place = reinterpret_cast<const int64_t*>(places.data());
      CHECK((place[2] == 2 && place[3] == 4));  // tokens 2 and 5; 3 has left before, 4 leaves here
    }
  }
}

TEST_CASE("exchange slim: hostile metadata are errors of one line, from the header alone") {
  const Folder folder;
  const auto model = filled(kCut);
  save(folder / "a.ckpt", *model);
  const std::string path = folder / "a.safetensors";
  write_timm_safetensors(path, TimmSource(folder / "a.ckpt", false).whole());
  const SafetensorsHeader good = read_safetensors_header(path);
  CHECK_NOTHROW(describe_timm("a", good));
  const auto refused = [&](const Config& others, const std::string& expected) {
    SafetensorsHeader header = good;
    for (const auto& [key, value] : others) header.metadata[key] = value;
    const fixtures::Caught caught = fixtures::error_of([&] { describe_timm("a", header); });
    CHECK(caught.code == 3);
    CHECK(caught.text.size() < 700);
    CHECK(caught.text.find('\n') == std::string::npos);
    CHECK_MESSAGE(caught.text.starts_with("a: " + expected), caught.text);
  };
  const std::string many(3'000'000, ','), budgets(3'000'000, ';'), slashes(3'000'000, '/');
  refused({{"head_dims", ""}}, "metadata: model: head_dims: expected the sizes of 2 budgets");
  refused({{"head_dims", budgets}}, "metadata: model: head_dims: expected at most 1024 parts divided by ';', found 3000001");
  refused({{"head_dims", slashes + ";1"}}, "metadata: model: head_dims: expected at most");
  refused({{"head_dims", many + ";1"}}, "metadata: model: head_dims: expected at most");
  refused({{"hidden", many + ";1"}}, "metadata: model: ");
  refused({{"budgets", many}}, "metadata: model: budgets: expected at most");
  refused({{"life", many}}, "metadata: model: life: expected at most 18 parts");
  refused({{"life", "3,2"}}, "metadata: model: life: expected 17 tokens, found 2");
  refused({{"hidden", "9,20,0;30,49,0"}}, "metadata: model: hidden: expected whole numbers from 0 to 48");
  refused({{"hidden", "9,20,-1;30,48,0"}}, "metadata: model: hidden: expected whole numbers from 0 to 48");
  refused({{"head_dims", "5,0,8/0,0,0/1,2,3;8,1,7/0,0,0/7,8,3"}}, "metadata: model: head_dims: a budget has less than");
  // Sound sizes of another model: the tensors tell.
  refused({{"hidden", "9,20,0;30,47,0"}}, "tensor blocks.1.mlp.fc1.weight is [48, 24], expected [47, 24]");
  refused({{"head_dims", "5,0,8/0,0,0/1,2,3;8,1,8/1,0,0/7,8,3"}},
          "tensor blocks.1.attn.qkv.weight is [0, 24], expected [3, 24]");
  refused({{"depth", "256"}}, "metadata: model: head_dims: expected 256 blocks");
  refused({{"image", "4096"}, {"patch", "1"}, {"life", "all"}}, "metadata: model: too many tokens: 16777217");
  refused({{"image", "1048576"}}, "metadata: model: image: expected 1 to 4096");
  refused({{"width", "65536"}}, "");
  refused({{"note", "hello"}}, "metadata: model: an entry this version does not know: 'note'");
  refused({{"model", "slim-search"}}, "");
  refused({{"classes", "5"}}, "tensor head.weight is [4, 24], expected [5, 24]");
  refused({{"class_names", "ant\n"}}, "metadata: class_names has 1 lines, the model has 4 classes");
  SafetensorsHeader less = good;
  less.tensors.pop_back();
  CHECK(fixtures::error_of([&] {
          describe_timm("a", less);
        }).text.starts_with("a: not the vision transformer that its metadata"));
}

TEST_CASE("program: a cut model goes out and comes back") {
  using namespace program_fixtures;
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program run;
  save((run / "cut.ckpt").string(), *filled(kCut));
  CHECK(contains(run.ok("export cut.ckpt"), "cut.safetensors: 0.5 to 0.9 budget, sizes by block"));
  CHECK(contains(run.ok("import cut.safetensors --out back.ckpt"), "back.ckpt: 0.5 to 0.9 budget, sizes by block, 3 blocks"));
  run.ok("export back.ckpt --out again.safetensors");
  CHECK(slurp(run / "cut.safetensors") == slurp(run / "again.safetensors"));
  CHECK(contains(run.ok("info cut.safetensors --verify"), "every byte verified"));
  CHECK(contains(run.ok("export cut.ckpt --format onnx --subnets budget0.5"), "cut-budget0.5.onnx: sizes by block"));
  check_refused(run("import cut.safetensors --into-heads 6 --out x"), 2,
                "cut.safetensors holds a model whose blocks have sizes");
  check_refused(run("train --preset nano --init cut.safetensors --data data --steps 1 --out x"), 3, "fit into no other model");
}
