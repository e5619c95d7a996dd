#include "train/onnx/pieces.h"

#include <algorithm>

namespace hv::train::onnx_graph {

std::string Pieces::linear(const std::string& name, const std::string& x, const std::string& output) {
  const Names inputs{x, weight(name + ".weight"), weight(name + ".bias")};
  return node(name, "Gemm", inputs, {{"transB", 1}}, {output.empty() ? name : output})[0];
}

std::string Pieces::layer_norm(const std::string& name, const std::string& x) {
  return node(name, "LayerNormalization", {x, weight(name + ".weight"), weight(name + ".bias")},
              {{"axis", -1}, {"epsilon", static_cast<float>(v.eps)}});
}

// gelu(x) = x (1 + erf(x / sqrt 2)) / 2: opset 17 has no Gelu of its own
std::string Pieces::mlp(const std::string& name, const std::string& x) {
  const std::string hidden = linear(name + ".fc1", x);
  const std::string erf = node(name + ".erf", "Erf", {node(name + ".over_sqrt2", "Div", {hidden, sqrt2()})});
  const std::string twice = node(name + ".twice", "Mul", {hidden, node(name + ".plus_one", "Add", {erf, one()})});
  return linear(name + ".fc2", node(name + ".gelu", "Mul", {twice, half()}));
}

std::string Pieces::embed() {
  const Ints square{v.patch, v.patch};
  const std::string batch = node("batch_size", "Shape", {"images"}, {{"start", 0}, {"end", 1}});
  std::string pixels = "images";
  if (v.resized_from > 0) {  // sizes, not scales: the rounding of 128 / 224 might lose a row
    const std::string size = shape("shape.pixels", {v.channels, v.image, v.image});
    const std::string sizes = node("resize_shape", "Concat", {batch, size}, {{"axis", 0}});
    const std::vector<Attribute> how{{"mode", "linear"}, {"coordinate_transformation_mode", "align_corners"}};
    pixels = node("resize", "Resize", {"images", "", "", sizes}, how);
  }
  const Names conv{pixels, weight("patch_embed.proj.weight"), weight("patch_embed.proj.bias")};
  const std::string planes =
      node("patch_embed.proj", "Conv", conv, {{"kernel_shape", square}, {"strides", square}});  // [B, p, H/P, W/P]
  const std::string columns = node("patch_embed.flatten", "Reshape", {planes, to_patches()});
  const std::string patches = node("patch_embed", "Transpose", {columns}, {{"perm", Ints{0, 2, 1}}});  // [B, N, p]
  const std::string size = node("cls_shape", "Concat", {batch, one_token()}, {{"axis", 0}});
  Names parts = {node("cls", "Expand", {weight("cls_token"), size})};  // [B, 1, p]
  if (v.distilled) parts.push_back(node("dist", "Expand", {weight("dist_token"), size}));
  parts.push_back(patches);
  const std::string tokens = node("tokens", "Concat", parts, {{"axis", 1}});
  if (std::any_of(v.prune.begin(), v.prune.end(), [&](int64_t block) { return prunes(v, block); })) {
    // places of the first tokens in every image, [B, S]
    const std::string count = shape("shape.first", {v.first_tokens()});
    const std::string all = node("first_shape", "Concat", {batch, count}, {{"axis", 0}});
    node("first_places", "Expand", {shape("index.first", v.distilled ? Ints{0, 1} : Ints{0}), all});
  }
  return node("embedding", "Reshape", {node("pos_add", "Add", {tokens, weight("pos_embed")}), to_rows()});
}

void Pieces::classify(const std::string& rows, int64_t count) {
  const std::string tokens = node("tokens_out", "Reshape", {rows, to_tokens(count)});
  if (!v.distilled) {
    const std::string token = node("cls_out", "Gather", {tokens, cls()}, {{"axis", 1}});  // [B, p]
    linear("head", layer_norm("norm", token), "logits");
    return;
  }
  const std::string normed = layer_norm("norm", tokens);
  const std::string by_cls = linear("head", node("cls_out", "Gather", {normed, cls()}, {{"axis", 1}}));
  const std::string by_dist = linear("head_dist", node("dist_out", "Gather", {normed, dist()}, {{"axis", 1}}));
  node("mean", "Mul", {node("sum", "Add", {by_cls, by_dist}), half()}, {}, {"logits"});
}

}  // namespace hv::train::onnx_graph
