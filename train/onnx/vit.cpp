#include "train/onnx/vit.h"

#include <climits>

#include "models/token_axes.h"

namespace hv::train::onnx_graph {
namespace {

std::string heads_shape(Pieces& g, int64_t tokens) {  // [B, T, {q, k, v} heads, head size]
  return g.shape(g.named("shape.heads", tokens), {-1, tokens, 3 * g.v.heads, g.v.head_size()});
}

// Values that all blocks share. Whoever uses one asks for it; this decides their order in the file.
void add_constants(Pieces& g) {
  g.to_patches();
  g.one_token();
  g.to_rows();
  g.to_tokens(g.v.tokens());
  heads_shape(g, g.v.tokens());
  g.cls();
  if (g.v.distilled) g.dist();
  g.scale();
  g.sqrt2();
  g.one();
  g.half();
}

// The places of the tokens that a pruning block goes on with, [B, S + others, 1]: the first S, and those others to which CLS
// attends most on average over the heads, in descending order. shares [B, heads, T, T]
std::string places_kept(Pieces& g, const std::string& name, const std::string& shares, int64_t others) {
  const int64_t first = g.v.first_tokens();
  const std::string start = g.shape("shape.first", {first}), end = g.shape("shape.end", {INT64_MAX});
  const std::string axis = g.shape("shape.axis1", {1}), behind = g.shape("shape.axis2", {2});
  const std::string row = g.node(name + ".cls_row", "Gather", {shares, g.cls()}, {{"axis", 2}});  // [B, heads, T]
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
std::string attention(Pieces& g, const std::string& name, const std::string& x, int64_t tokens_in, int64_t others,
                      std::string& kept) {
  const Names split_in{g.linear(name + ".qkv", x), heads_shape(g, tokens_in)};
  const std::string split = g.node(name + ".heads", "Reshape", split_in);
  const std::string heads =
      g.node(name + ".by_head", "Transpose", {split}, {{"perm", Ints{0, 2, 1, 3}}});  // [B, 3 heads, T, D]
  const Names qkv = g.node(name + ".split", "Split", {heads}, {{"axis", 1}}, {name + ".q", name + ".k", name + ".v"});
  const std::string keys = g.node(name + ".k_t", "Transpose", {qkv[1]}, {{"perm", Ints{0, 1, 3, 2}}});
  const std::string scores = g.node(name + ".scaled", "Mul", {g.node(name + ".scores", "MatMul", {qkv[0], keys}), g.scale()});
  const std::string shares = g.node(name + ".softmax", "Softmax", {scores}, {{"axis", -1}});
  const std::string mixed = g.node(name + ".mixed", "MatMul", {shares, qkv[2]});
  std::string tokens = g.node(name + ".by_token", "Transpose", {mixed}, {{"perm", Ints{0, 2, 1, 3}}});
  if (others > 0) {
    kept = places_kept(g, name, shares, others);
    tokens = g.node(name + ".pick", "GatherND", {tokens, kept}, {{"batch_dims", 1}});
  }
  return g.linear(name + ".proj", g.node(name + ".rows", "Reshape", {tokens, g.to_rows()}));
}

}  // namespace

void add_vit(Pieces& g) {
  const models::PlainVit& v = g.v;
  add_constants(g);
  std::string x = g.embed();
  int64_t tokens_now = v.tokens();
  for (int64_t i = 0; i < v.depth; ++i) {
    const std::string block = concat("blocks.", i);
    const int64_t others = prunes(v, i) ? models::others_kept(tokens_now, v.first_tokens(), v.keep) : 0;
    std::string kept;
    const std::string mixed = attention(g, block + ".attn", g.layer_norm(block + ".norm1", x), tokens_now, others, kept);
    if (others > 0) {
      const std::string all = g.node(block + ".tokens", "Reshape", {x, g.to_tokens(tokens_now)});
      const std::string some = g.node(block + ".pick", "GatherND", {all, kept}, {{"batch_dims", 1}});
      x = g.node(block + ".rows", "Reshape", {some, g.to_rows()});
      tokens_now = v.first_tokens() + others;
    }
    x = g.node(block + ".attn_add", "Add", {x, mixed});
    x = g.node(block + ".mlp_add", "Add", {x, g.mlp(block + ".mlp", g.layer_norm(block + ".norm2", x))});
  }
  g.classify(x, tokens_now);
}

}  // namespace hv::train::onnx_graph
