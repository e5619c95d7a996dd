// ONNX files, read back through the schema's own parser. What they compute is compared with ONNX Runtime in
// tests/parity/check_onnx.py.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include "models/hydravit.h"
#include "models/scala.h"
#include "tests/error_of.h"
#include "tests/temp_dir.h"
#include "train/onnx/write.h"

using namespace hv;
using fixtures::Folder;

namespace {

namespace fs = std::filesystem;

models::HydraViTConfig small() {
  models::HydraViTConfig c;
  c.image = 12;
  c.patch = 4;
  c.depth = 2;
  c.head_dim = 8;
  c.heads_min = 2;
  c.heads = 4;
  c.classes = 5;
  return c;
}

models::ScalaConfig small_scala(bool distilled) {
  models::ScalaConfig c;
  static_cast<models::VitConfig&>(c) = small();
  c.width = 32;
  c.heads = 2;
  c.scale_dim = 16;
  c.grid = 4;
  c.smallest = 1;
  c.distilled = distilled;
  return c;
}

// timm's rows of attn.qkv are [q; k; v], those of stacked heads (head, {q, k, v}, head_dim); everything else is the same. On
// purpose without train/exchange/timm_layout.h's own reordering.
train::TimmModel timm(const models::ElasticModel& model) {
  const NoGrad off;
  train::TimmModel made;
  made.config = model.config();
  made.vit = *models::plain_vit(made.config);
  made.class_names = {"ant", "bee", "cat", "dog", "\xc3\xa9lan"};
  made.mean = {0.5, 0.25, 0.125};
  made.std = {0.5, 1, 2};
  for (const nn::Parameter& parameter : model.parameters()) {
    Tensor value = parameter.value.detach();
    if (made.vit.stacked && parameter.name.find(".attn.qkv.") != std::string::npos) {
      value = value.view({made.vit.heads, 3, made.vit.head_size(), -1}).transpose(0, 1).clone();
    }
    made.tensors.push_back({parameter.name, parameter.value.shape(), value});
  }
  return made;
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string dims(const onnx::ValueInfoProto& value) {
  std::string text;
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    text += (text.empty() ? "" : ",") + (dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value()));
  }
  return text;
}

}  // namespace

namespace {

void check_every_width(const models::ElasticModel& full, double eps, double scale_dim) {
  const Folder folder;
  for (const models::Subnet& width : full.subnets()) {
    INFO(width.label);
    const auto model = full.extract(width);
    const train::TimmModel expected = timm(*model);
    train::write_onnx(folder / "a.onnx", expected);
    train::write_onnx(folder / "b.onnx", expected);
    CHECK(slurp(folder / "a.onnx") == slurp(folder / "b.onnx"));

    onnx::ModelProto file;
    REQUIRE(file.ParseFromString(slurp(folder / "a.onnx")));
    CHECK(file.ir_version() == 8);
    REQUIRE(file.opset_import_size() == 1);
    CHECK(file.opset_import(0).domain().empty());
    CHECK(file.opset_import(0).version() == 17);
    CHECK(file.producer_name() == "hydravit");
    std::map<std::string, std::string> metadata;
    for (const auto& entry : file.metadata_props()) metadata[entry.key()] = entry.value();
    CHECK(metadata["heads"] == std::to_string(expected.vit.heads));
    CHECK(metadata["mean"] == "0.5 0.25 0.125");
    CHECK(metadata["std"] == "0.5 1 2");
    CHECK(metadata["class_names"] == "ant\nbee\ncat\ndog\n\xc3\xa9lan\n");
    CHECK(metadata["image"] == "12");
    const onnx::GraphProto& graph = file.graph();
    REQUIRE((graph.input_size() == 1 && graph.output_size() == 1));
    CHECK(graph.input(0).name() == "images");
    CHECK(dims(graph.input(0)) == "batch,3,12,12");
    CHECK(graph.input(0).type().tensor_type().elem_type() == onnx::TensorProto::FLOAT);
    CHECK(graph.output(0).name() == "logits");
    CHECK(dims(graph.output(0)) == "batch,5");

    // Every value has one name and one origin before its first use; every value is used.
    std::set<std::string> known{"images"}, used, nodes, operators;
    for (const auto& initializer : graph.initializer()) CHECK(known.insert(initializer.name()).second);
    for (const auto& node : graph.node()) {
      INFO(node.name());
      CHECK(nodes.insert(node.name()).second);
      operators.insert(node.op_type());
      for (const auto& attribute : node.attribute()) {
        if (attribute.name() == "epsilon") CHECK(attribute.f() == static_cast<float>(eps));
      }
      for (const std::string& input : node.input()) {
        if (input.empty()) continue;  // Resize takes a size in place of what these would say
        CHECK(known.count(input) == 1);
        used.insert(input);
      }
      for (const std::string& output : node.output()) {
        if (!output.ends_with(".top_shares")) CHECK(known.insert(output).second);  // only their places matter
      }
    }
    used.insert("logits");
    CHECK(used == known);
    CHECK(nodes.count("blocks.1.attn.qkv") == 1);
    std::set<std::string> wanted{
        "Add",    "Concat", "Conv",    "Div",   "Erf",     "Expand", "Gather",   "Gemm", "LayerNormalization",
        "MatMul", "Mul",    "Reshape", "Shape", "Softmax", "Split",  "Transpose"};
    if (expected.vit.resized_from > 0) wanted.insert("Resize");
    if (expected.vit.keep < 1) wanted.insert({"GatherND", "ReduceMean", "Slice", "TopK", "Unsqueeze"});
    CHECK(operators == wanted);

    std::map<std::string, const onnx::TensorProto*> weights;
    for (const auto& initializer : graph.initializer()) {
      if (initializer.name() == "number.scale") {
        const auto scale = static_cast<float>(1 / std::sqrt(scale_dim));
        CHECK(initializer.raw_data() == std::string(reinterpret_cast<const char*>(&scale), sizeof scale));
      }
      const std::string kind = initializer.name().substr(0, initializer.name().find('.'));
      if (kind != "shape" && kind != "index" && kind != "number") weights[initializer.name()] = &initializer;
    }
    CHECK(weights.size() == expected.tensors.size());
    for (const train::TimmTensor& parameter : expected.tensors) {
      INFO(parameter.name);
      REQUIRE(weights.count(parameter.name) == 1);
      const onnx::TensorProto& found = *weights[parameter.name];
      CHECK(found.data_type() == onnx::TensorProto::FLOAT);
      CHECK(std::vector<int64_t>(found.dims().begin(), found.dims().end()) ==
            std::vector<int64_t>(parameter.shape.begin(), parameter.shape.end()));
      const auto* bytes = reinterpret_cast<const char*>(parameter.value.data());
      CHECK(found.raw_data() == std::string(bytes, static_cast<size_t>(parameter.value.numel()) * sizeof(Real)));
    }
  }
}

}  // namespace

TEST_CASE("onnx: every width reads back as a sound graph with timm's parameters") {
  check_every_width(models::HydraViT(small(), 3), 1e-6, 8);
  check_every_width(models::Scala(small_scala(false), 3), 1e-5, 16);
  check_every_width(models::Scala(small_scala(true), 3), 1e-5, 16);
  models::ScalaConfig views = small_scala(true);
  views.smallest = 4;
  views.sizes = "8,12";
  views.keep = "0.5,1";
  views.prune = "0,1";  // after the last block there is nothing to prune
  check_every_width(models::Scala(views, 3), 1e-5, 16);
}

TEST_CASE("onnx: what cannot be written leaves nothing behind") {
  using test::error_of;
  const Folder folder;
  const models::HydraViT full(small(), 3);
  CHECK(error_of([&] { train::write_onnx(folder / "a.onnx", timm(full)); }) ==
        "--heads: an ONNX file computes one width; name it: 2 to 4");
  const train::TimmModel model = timm(*full.extract(full.subnet(4)));
  CHECK(error_of([&] { train::write_onnx(folder / "none/a.onnx", model); }) ==
        folder / "none/a.onnx: cannot create: No such file or directory");

  train::TimmModel huge;  // of no tensors: asking for one would be another error
  models::HydraViTConfig deit = models::preset("deit");
  deit.heads = deit.heads_min = 12;
  huge.config = models::to_config(deit);
  huge.vit = *models::plain_vit(huge.config);
  huge.vit.heads = 256;  // a configuration of so many is refused
  huge.vit.width = 256 * 64;
  const int64_t mebibytes = models::parameter_count(deit, 256) * 4 / (1 << 20) + 1;
  CHECK(error_of([&] { train::write_onnx(folder / "a.onnx", huge); }) ==
        concat(folder / "a.onnx", ": a model of ", mebibytes,
               " MiB, an ONNX file holds less than 2048; ask for fewer --heads or ", "another --format"));

  // A full disk in the middle of what protobuf writes.
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 10000;
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &low) == 0);
  const std::string error = error_of([&] { train::write_onnx(folder / "a.onnx", model); });
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, old_action);
  CHECK(error == folder / "a.onnx: cannot write: File too large; free some space, what was there before is untouched");
  CHECK(fs::is_empty(folder.path()));
}
