#include "train/onnx/layers.h"

#include <algorithm>

namespace hv::train::onnx_graph {
namespace {

using Block = models::LayeredVit::Block;

// softmax(q k^T / sqrt(scale_dim)) v of every head that is left, projected: rows -> rows
std::string attention(Pieces& g, const std::string& name, const std::string& x, const Block& block, int64_t tokens) {
  const int64_t width = block.width();
  const std::string rows = g.linear(name + ".qkv", x);
  const std::string parted =
      g.node(name + ".tokens", "Reshape", {rows, g.shape(concat("shape.qkv.", tokens, '.', width), {-1, tokens, 3 * width})});
  Ints sizes;
  Names parts, mixed;
  for (size_t h = 0; h < block.heads.size(); ++h) {
    for (const char* which : {".q", ".k", ".v"}) {
      if (block.heads[h] == 0) continue;
      sizes.push_back(block.heads[h]);
      parts.push_back(concat(name, '.', h, which));
    }
  }
  g.node(name + ".split", "Split", {parted, g.shape("shape.split." + name, sizes)}, {{"axis", 2}}, parts);
  for (size_t i = 0; i < parts.size(); i += 3) {  // [B, T, D]
    const std::string head = parts[i].substr(0, parts[i].size() - 2);
    const std::string keys = g.node(head + ".k_t", "Transpose", {parts[i + 1]}, {{"perm", Ints{0, 2, 1}}});
    const std::string scores =
        g.node(head + ".scaled", "Mul", {g.node(head + ".scores", "MatMul", {parts[i], keys}), g.scale()});
    const std::string shares = g.node(head + ".softmax", "Softmax", {scores}, {{"axis", -1}});
    mixed.push_back(g.node(head + ".mixed", "MatMul", {shares, parts[i + 2]}));
  }
  const std::string heads = g.node(name + ".heads", "Concat", mixed, {{"axis", 2}});
  return g.linear(name + ".proj",
                  g.node(name + ".rows", "Reshape", {heads, g.shape(concat("shape.mixed.", width), {-1, width})}));
}

class Builder {
 public:
  Builder(Pieces& g, const models::LayeredVit& layers) : g_(g), all_(layers), x_(g.embed()) {
    for (int64_t t = 0; t < g.v.tokens(); ++t) here_.push_back(t);
  }

  void add(int64_t i) {
    const Block& block = all_.blocks[static_cast<size_t>(i)];
    const std::string name = concat("blocks.", i), attn = name + ".attn", mlp = name + ".mlp";
    const std::vector<int64_t> alive = all_.alive(i);
    const bool fewer = alive.size() < here_.size();  // without masks: than before; with them: than there are
    if (fewer && !all_.masked) leave(name, alive);
    const std::string mask = fewer && all_.masked ? mask_of(name, alive) : "";
    const std::string mixed =
        block.width() == 0 ? g_.weight(attn + ".proj.bias") : attention(g_, attn, norm(name + ".norm1", mask), block, tokens());
    x_ = g_.node(name + ".attn_add", "Add", {x_, mixed});
    const std::string units = block.hidden == 0 ? g_.weight(mlp + ".fc2.bias") : g_.mlp(mlp, norm(name + ".norm2", mask));
    x_ = g_.node(name + ".mlp_add", "Add", {x_, units});
  }
  void end() { g_.classify(x_, tokens()); }

 private:
  int64_t tokens() const { return std::ssize(here_); }

  void leave(const std::string& name, const std::vector<int64_t>& alive) {
    Ints places;
    for (const int64_t t : alive) places.push_back(std::lower_bound(here_.begin(), here_.end(), t) - here_.begin());
    const std::string all = g_.node(name + ".tokens", "Reshape", {x_, g_.to_tokens(tokens())});
    const std::string some = g_.node(name + ".pick", "Gather", {all, g_.shape("shape.places." + name, places)}, {{"axis", 1}});
    x_ = g_.node(name + ".rows", "Reshape", {some, g_.to_rows()});
    here_ = alive;
  }

  std::string mask_of(const std::string& name, const std::vector<int64_t>& alive) {  // [T, 1]
    Tensor mask = Tensor::zeros({tokens(), 1});
    for (const int64_t t : alive) mask.mutable_data()[t] = 1;
    return g_.weight("number.mask." + name, mask);
  }
  std::string norm(const std::string& name, const std::string& mask) {
    const std::string normed = g_.layer_norm(name, x_);
    if (mask.empty()) return normed;
    const std::string all = g_.node(name + ".tokens", "Reshape", {normed, g_.to_tokens(tokens())});
    return g_.node(name + ".rows", "Reshape", {g_.node(name + ".masked", "Mul", {all, mask}), g_.to_rows()});
  }

  Pieces& g_;
  const models::LayeredVit& all_;
  std::string x_;              // rows
  std::vector<int64_t> here_;  // the tokens that are there
};

}  // namespace

void add_layers(Pieces& g, const models::LayeredVit& layers) {
  Builder builder(g, layers);
  for (int64_t i = 0; i < g.v.depth; ++i) builder.add(i);
  builder.end();
}

}  // namespace hv::train::onnx_graph
