// What the graphs of all vision transformers are made of. Rows are [B T, p]: T tokens of B images, of width p.
// Thread rule: as Graph.
#pragma once

#include <cmath>
#include <string>

#include "train/exchange/timm_layout.h"
#include "train/onnx/graph.h"

namespace hv::train::onnx_graph {

class Pieces : public Graph {
 public:
  Pieces(const std::string& name, const TimmModel& model) : Graph(name), v(model.vit), model_(model) {}
  const models::PlainVit& v;

  using Graph::weight;
  std::string weight(const std::string& name) { return weight(name, model_.tensor(name).packed()); }  // a parameter

  // Constants.
  std::string to_patches() { return shape("shape.patches", {0, v.width, -1}); }  // [B, p, N]; 0 keeps the batch
  std::string one_token() { return shape("shape.token", {1, v.width}); }         // after the batch
  std::string to_rows() { return shape("shape.rows", {-1, v.width}); }           // -1: depends on the batch
  std::string to_tokens(int64_t tokens) { return shape(named("shape.tokens", tokens), {-1, tokens, v.width}); }  // [B, T, p]
  std::string cls() { return index("index.cls", 0); }
  std::string dist() { return index("index.dist", 1); }
  std::string scale() { return number("number.scale", 1 / std::sqrt(static_cast<double>(v.scale_dim))); }
  std::string sqrt2() { return number("number.sqrt2", std::sqrt(2.0)); }
  std::string one() { return number("number.one", 1); }
  std::string half() { return number("number.half", 0.5); }
  // The name of a constant for so many tokens; all tokens need no number.
  std::string named(const std::string& name, int64_t tokens) const {
    return tokens == v.tokens() ? name : concat(name, '.', tokens);
  }

  // The module of this name on rows.
  std::string linear(const std::string& name, const std::string& rows, const std::string& output = "");  // x W^T + b
  std::string layer_norm(const std::string& name, const std::string& rows);
  std::string mlp(const std::string& name, const std::string& rows);  // fc2(gelu(fc1(x)))

  std::string embed();                                     // images -> rows
  void classify(const std::string& rows, int64_t tokens);  // -> logits

 private:
  const TimmModel& model_;
};

// After the last block only the first tokens are read, so it need not prune.
inline bool prunes(const models::PlainVit& v, int64_t block) { return v.prunes(block) && block + 1 < v.depth; }

}  // namespace hv::train::onnx_graph
