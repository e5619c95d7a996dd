#include "train/exchange/onnx.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <exception>
#include <set>
#include <variant>

// Debian builds the schema with ONNX_ML and this namespace. The installed header contains neither, so both are defined here.
#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include "models/token_axes.h"
#include "train/exchange/timm_safetensors.h"
#include "train/files/file.h"

namespace hv::train {
namespace {

constexpr int64_t kIrVersion = 8, kOpset = 17;  // 17 is the first with LayerNormalization

using Names = std::vector<std::string>;
using Ints = std::vector<int64_t>;
struct Attribute {
  const char* name;
  std::variant<int64_t, float, Ints, std::string> value;
};

// Adds to a GraphProto. Each function returns the name of the value that it made, as an input for the next node.
class Graph {
 public:
  Graph(onnx::GraphProto& graph, const TimmModel& model) : graph_(graph), model_(model) {}

  std::string node(const std::string& name, const char* op, const Names& inputs,
                   const std::vector<Attribute>& attributes = {}) {
    return node(name, op, inputs, attributes, {name})[0];
  }
  Names node(const std::string& name, const char* op, const Names& inputs, const std::vector<Attribute>& attributes,
             const Names& outputs) {
    onnx::NodeProto& made = *graph_.add_node();
    made.set_name(name);
    made.set_op_type(op);
    for (const std::string& input : inputs) made.add_input(input);
    for (const std::string& output : outputs) made.add_output(output);
    for (const Attribute& attribute : attributes) set(*made.add_attribute(), attribute);
    return outputs;
  }

  // A parameter of the model, under its own name.
  std::string weight(const std::string& name) {
    static_assert(sizeof(Real) == 4, "ONNX files hold float32");
    const Tensor value = model_.tensor(name).packed();
    const Ints dims(value.shape().begin(), value.shape().end());
    return initializer(name, onnx::TensorProto::FLOAT, dims, value.data(), static_cast<size_t>(value.numel()) * sizeof(Real));
  }
  std::string number(const std::string& name, double value) {
    const float rounded = static_cast<float>(value);
    return initializer(name, onnx::TensorProto::FLOAT, {}, &rounded, sizeof rounded);
  }
  std::string index(const std::string& name, int64_t value) {
    return initializer(name, onnx::TensorProto::INT64, {}, &value, sizeof value);
  }
  // One that is there already is not made again.
  std::string shape(const std::string& name, const Ints& sizes) {
    if (!shapes_.insert(name).second) return name;
    const auto rank = static_cast<int64_t>(sizes.size());
    return initializer(name, onnx::TensorProto::INT64, {rank}, sizes.data(), sizes.size() * sizeof(int64_t));
  }

  // The module of this name on rows x [n, channels].
  std::string linear(const std::string& name, const std::string& x, const std::string& output = "") {  // x W^T + b
    const Names inputs{x, weight(name + ".weight"), weight(name + ".bias")};
    return node(name, "Gemm", inputs, {{"transB", 1}}, {output.empty() ? name : output})[0];
  }
  std::string layer_norm(const std::string& name, const std::string& x) {
    return node(name, "LayerNormalization", {x, weight(name + ".weight"), weight(name + ".bias")},
                {{"axis", -1}, {"epsilon", static_cast<float>(model_.vit.eps)}});
  }

 private:
  static void set(onnx::AttributeProto& to, const Attribute& from) {
    to.set_name(from.name);
    if (const auto* i = std::get_if<int64_t>(&from.value)) {
      to.set_type(onnx::AttributeProto::INT);
      to.set_i(*i);
    } else if (const auto* f = std::get_if<float>(&from.value)) {
      to.set_type(onnx::AttributeProto::FLOAT);
      to.set_f(*f);
    } else if (const auto* s = std::get_if<std::string>(&from.value)) {
      to.set_type(onnx::AttributeProto::STRING);
      to.set_s(*s);
    } else {
      to.set_type(onnx::AttributeProto::INTS);
      for (const int64_t value : std::get<Ints>(from.value)) to.add_ints(value);
    }
  }

  std::string initializer(const std::string& name, onnx::TensorProto::DataType type, const Ints& dims, const void* data,
                          size_t bytes) {
    onnx::TensorProto& made = *graph_.add_initializer();
    made.set_name(name);
    made.set_data_type(type);
    for (const int64_t dim : dims) made.add_dims(dim);
    made.set_raw_data(data, bytes);
    return name;
  }

  onnx::GraphProto& graph_;
  const TimmModel& model_;
  std::set<std::string> shapes_;
};

// Shapes of so many tokens, which those of the first blocks need no number for. -1 is the dimension that depends on the batch.
std::string named(const std::string& name, const models::PlainVit& v, int64_t tokens) {
  return tokens == v.tokens() ? name : concat(name, '.', tokens);
}
std::string tokens_shape(Graph& g, const models::PlainVit& v, int64_t tokens) {
  return g.shape(named("shape.tokens", v, tokens), {-1, tokens, v.width});  // [B, T, p]
}
std::string heads_shape(Graph& g, const models::PlainVit& v, int64_t tokens) {  // [B, T, {q, k, v} heads, head size]
  return g.shape(named("shape.heads", v, tokens), {-1, tokens, 3 * v.heads, v.head_size()});
}

// Values that all blocks share.
void add_constants(Graph& g, const models::PlainVit& v) {
  const int64_t p = v.width;
  g.shape("shape.patches", {0, p, -1});  // [B, p, N]; 0 keeps the batch
  g.shape("shape.token", {1, p});        // after the batch: one token
  g.shape("shape.rows", {-1, p});        // [B T, p]
  tokens_shape(g, v, v.tokens());
  heads_shape(g, v, v.tokens());
  g.index("index.cls", 0);
  if (v.distilled) g.index("index.dist", 1);
  g.number("number.scale", 1 / std::sqrt(static_cast<double>(v.scale_dim)));
  g.number("number.sqrt2", std::sqrt(2.0));
  g.number("number.one", 1);
  g.number("number.half", 0.5);
}

// After the last block only the first tokens are read, so it need not prune.
bool prunes(const models::PlainVit& v, int64_t block) { return v.prunes(block) && block + 1 < v.depth; }
bool prunes_any(const models::PlainVit& v) {
  return std::any_of(v.prune.begin(), v.prune.end(), [&](int64_t block) { return prunes(v, block); });
}

// images -> rows [B T, p]
std::string embed(Graph& g, const models::PlainVit& v) {
  const Ints square{v.patch, v.patch};
  const std::string batch = g.node("batch_size", "Shape", {"images"}, {{"start", 0}, {"end", 1}});
  std::string pixels = "images";
  if (v.resized_from > 0) {  // sizes, not scales: the rounding of 128 / 224 might lose a row
    const std::string size = g.shape("shape.pixels", {v.channels, v.image, v.image});
    const std::string sizes = g.node("resize_shape", "Concat", {batch, size}, {{"axis", 0}});
    const std::vector<Attribute> how{{"mode", "linear"}, {"coordinate_transformation_mode", "align_corners"}};
    pixels = g.node("resize", "Resize", {"images", "", "", sizes}, how);
  }
  const Names conv{pixels, g.weight("patch_embed.proj.weight"), g.weight("patch_embed.proj.bias")};
  const std::string planes =
      g.node("patch_embed.proj", "Conv", conv, {{"kernel_shape", square}, {"strides", square}});  // [B, p, H/P, W/P]
  const std::string columns = g.node("patch_embed.flatten", "Reshape", {planes, "shape.patches"});
  const std::string patches = g.node("patch_embed", "Transpose", {columns}, {{"perm", Ints{0, 2, 1}}});  // [B, N, p]
  const std::string shape = g.node("cls_shape", "Concat", {batch, "shape.token"}, {{"axis", 0}});
  Names parts = {g.node("cls", "Expand", {g.weight("cls_token"), shape})};  // [B, 1, p]
  if (v.distilled) parts.push_back(g.node("dist", "Expand", {g.weight("dist_token"), shape}));
  parts.push_back(patches);
  const std::string tokens = g.node("tokens", "Concat", parts, {{"axis", 1}});
  if (prunes_any(v)) {  // places of the first tokens in every image, [B, S]
    const std::string count = g.shape("shape.first", {v.first_tokens()});
    const std::string all = g.node("first_shape", "Concat", {batch, count}, {{"axis", 0}});
    g.node("first_places", "Expand", {g.shape("index.first", v.distilled ? Ints{0, 1} : Ints{0}), all});
  }
  return g.node("embedding", "Reshape", {g.node("pos_add", "Add", {tokens, g.weight("pos_embed")}), "shape.rows"});
}

// The places of the tokens that a pruning block goes on with, [B, S + others, 1]: the first S, and those others to which CLS
// attends most on average over the heads, in descending order. shares [B, heads, T, T]
std::string places_kept(Graph& g, const models::PlainVit& v, const std::string& name, const std::string& shares,
                        int64_t others) {
  const int64_t first = v.first_tokens();
  const std::string start = g.shape("shape.first", {first}), end = g.shape("shape.end", {INT64_MAX});
  const std::string axis = g.shape("shape.axis1", {1}), behind = g.shape("shape.axis2", {2});
  const std::string row = g.node(name + ".cls_row", "Gather", {shares, "index.cls"}, {{"axis", 2}});  // [B, heads, T]
  const std::string mean = g.node(name + ".cls_mean", "ReduceMean", {row}, {{"axes", Ints{1}}, {"keepdims", 0}});
  const std::string patches = g.node(name + ".cls_patches", "Slice", {mean, start, end, axis});  // [B, T - S]
  const std::string count = g.shape(concat("shape.kept.", others), {others});
  const std::string best = g.node(name + ".top", "TopK", {patches, count}, {{"axis", -1}, {"largest", 1}, {"sorted", 1}},
                                  {name + ".top_shares", name + ".top"})[1];
  const std::string moved = g.node(name + ".top_places", "Add", {best, start});
  const std::string places = g.node(name + ".places", "Concat", {"first_places", moved}, {{"axis", 1}});
  return g.node(name + ".kept", "Unsqueeze", {places, behind});
}

// softmax(q k^T / sqrt(scale_dim)) v of every head, projected: rows -> rows. In a block that prunes, `others` patches go on:
// `kept` becomes their places.
std::string attention(Graph& g, const models::PlainVit& v, const std::string& name, const std::string& x, int64_t tokens_in,
                      int64_t others, std::string& kept) {
  const Names split_in{g.linear(name + ".qkv", x), heads_shape(g, v, tokens_in)};
  const std::string split = g.node(name + ".heads", "Reshape", split_in);
  const std::string heads =
      g.node(name + ".by_head", "Transpose", {split}, {{"perm", Ints{0, 2, 1, 3}}});  // [B, 3 heads, T, D]
  const Names qkv = g.node(name + ".split", "Split", {heads}, {{"axis", 1}}, {name + ".q", name + ".k", name + ".v"});
  const std::string keys = g.node(name + ".k_t", "Transpose", {qkv[1]}, {{"perm", Ints{0, 1, 3, 2}}});
  const std::string scores =
      g.node(name + ".scaled", "Mul", {g.node(name + ".scores", "MatMul", {qkv[0], keys}), "number.scale"});
  const std::string shares = g.node(name + ".softmax", "Softmax", {scores}, {{"axis", -1}});
  const std::string mixed = g.node(name + ".mixed", "MatMul", {shares, qkv[2]});
  std::string tokens = g.node(name + ".by_token", "Transpose", {mixed}, {{"perm", Ints{0, 2, 1, 3}}});
  if (others > 0) {
    kept = places_kept(g, v, name, shares, others);
    tokens = g.node(name + ".pick", "GatherND", {tokens, kept}, {{"batch_dims", 1}});
  }
  return g.linear(name + ".proj", g.node(name + ".rows", "Reshape", {tokens, "shape.rows"}));
}

// fc2(gelu(fc1(x))), with gelu(x) = x (1 + erf(x / sqrt 2)) / 2: opset 17 has no Gelu of its own
std::string mlp(Graph& g, const std::string& name, const std::string& x) {
  const std::string hidden = g.linear(name + ".fc1", x);
  const std::string erf = g.node(name + ".erf", "Erf", {g.node(name + ".over_sqrt2", "Div", {hidden, "number.sqrt2"})});
  const std::string twice = g.node(name + ".twice", "Mul", {hidden, g.node(name + ".plus_one", "Add", {erf, "number.one"})});
  return g.linear(name + ".fc2", g.node(name + ".gelu", "Mul", {twice, "number.half"}));
}

void add_model(Graph& g, const models::PlainVit& v) {
  add_constants(g, v);
  std::string x = embed(g, v);
  int64_t tokens_now = v.tokens();
  for (int64_t i = 0; i < v.depth; ++i) {
    const std::string block = concat("blocks.", i);
    const int64_t others = prunes(v, i) ? models::others_kept(tokens_now, v.first_tokens(), v.keep) : 0;
    std::string kept;
    const std::string mixed = attention(g, v, block + ".attn", g.layer_norm(block + ".norm1", x), tokens_now, others, kept);
    if (others > 0) {
      const std::string all = g.node(block + ".tokens", "Reshape", {x, tokens_shape(g, v, tokens_now)});
      const std::string some = g.node(block + ".pick", "GatherND", {all, kept}, {{"batch_dims", 1}});
      x = g.node(block + ".rows", "Reshape", {some, "shape.rows"});
      tokens_now = v.first_tokens() + others;
    }
    x = g.node(block + ".attn_add", "Add", {x, mixed});
    x = g.node(block + ".mlp_add", "Add", {x, mlp(g, block + ".mlp", g.layer_norm(block + ".norm2", x))});
  }
  const std::string tokens = g.node("tokens_out", "Reshape", {x, tokens_shape(g, v, tokens_now)});
  if (!v.distilled) {
    const std::string cls = g.node("cls_out", "Gather", {tokens, "index.cls"}, {{"axis", 1}});  // [B, p]
    g.linear("head", g.layer_norm("norm", cls), "logits");
    return;
  }
  const std::string normed = g.layer_norm("norm", tokens);
  const std::string cls = g.linear("head", g.node("cls_out", "Gather", {normed, "index.cls"}, {{"axis", 1}}));
  const std::string dist = g.linear("head_dist", g.node("dist_out", "Gather", {normed, "index.dist"}, {{"axis", 1}}));
  g.node("mean", "Mul", {g.node("sum", "Add", {cls, dist}), "number.half"}, {}, {"logits"});
}

// "batch", then fixed sizes.
void describe(onnx::ValueInfoProto& value, const char* name, const Ints& sizes) {
  value.set_name(name);
  onnx::TypeProto::Tensor& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  for (const int64_t size : sizes) type.mutable_shape()->add_dim()->set_dim_value(size);
}

// Protobuf writes here. An exception must not pass through its buffers, because their destructors write again, so it is kept in
// `error`.
struct Output : google::protobuf::io::CopyingOutputStream {
  explicit Output(const std::string& path) : file(path) {}
  bool Write(const void* data, int bytes) override {
    try {
      if (!error) file.write(data, static_cast<size_t>(bytes));
    } catch (...) {
      error = std::current_exception();
    }
    return !error;
  }
  AtomicFile file;
  std::exception_ptr error;
};

void save(const std::string& path, const onnx::ModelProto& model) {
  Output output(path);
  bool written;
  {
    google::protobuf::io::CopyingOutputStreamAdaptor stream(&output, 1 << 20);
    written = model.SerializeToZeroCopyStream(&stream) && stream.Flush();
  }
  if (output.error) std::rethrow_exception(output.error);
  HV_CHECK(written, path, ": protobuf could not write the model");
  output.file.commit();
}

}  // namespace

void write_onnx(const std::string& path, const TimmModel& model) {
  const models::PlainVit& v = model.vit;
  const std::vector<models::Cost> widths = models::costs(model.config);
  HV_CHECK_USAGE(widths.size() == 1,
                 "--heads: an ONNX file computes one width; name it: ", widths.front().subnet.axes.at(0).value, " to ",
                 widths.back().subnet.axes.at(0).value);
  // Protobuf counts bytes in int. The graph and the metadata take less than a megabyte.
  int64_t bytes = 1 << 20;
  for (const TimmShape& tensor : timm_shapes(v)) bytes += numel(tensor.shape) * 4;
  HV_CHECK_USAGE(bytes <= INT_MAX, path, ": a model of ", bytes >> 20,
                 " MiB, an ONNX file holds less than 2048; ask for fewer --heads or ", "another --format");

  onnx::ModelProto file;
  file.set_ir_version(kIrVersion);
  file.set_producer_name("hydravit");
  onnx::OperatorSetIdProto& operators = *file.add_opset_import();
  operators.set_domain("");
  operators.set_version(kOpset);
  Metadata metadata = model.config;
  for (const std::string& name : model.class_names) metadata["class_names"] += name + "\n";
  metadata["mean"] = triple_text(model.mean);
  metadata["std"] = triple_text(model.std);
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *file.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  onnx::GraphProto& graph = *file.mutable_graph();
  graph.set_name(concat("hydravit-heads", v.heads));
  describe(*graph.add_input(), "images", {v.channels, v.input(), v.input()});
  describe(*graph.add_output(), "logits", {v.classes});
  Graph builder(graph, model);
  add_model(builder, v);
  save(path, file);
}

}  // namespace hv::train
