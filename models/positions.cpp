#include "models/positions.h"

#include <cmath>

#include "nn/part.h"

namespace hv::models {
namespace {

int64_t side_of(int64_t patches) { return std::llround(std::sqrt(static_cast<double>(patches))); }

}  // namespace

Positions::Positions(const VitConfig& c, int64_t first_tokens) : axes_(c.token_axes()), patch_(c.patch), first_(first_tokens) {}

void Positions::add(const nn::Parameter& table) {
  tables_.push_back(table);
  if (axes_.tables() || axes_.sizes().size() == 1) return;
  // The columns of the matrix are the resized images that have a single 1.
  const int64_t side = axes_.sizes().back() / patch_, n = side * side;
  Tensor ones = Tensor::zeros({n, 1, side, side});
  for (int64_t i = 0; i < n; ++i) ones.mutable_data()[i * n + i] = 1;
  for (const int64_t size : axes_.sizes()) {
    const int64_t s = size / patch_;
    resize_.push_back(resize_bilinear(ones, s, s, true).view({n, s * s}).transpose(0, 1));
  }
}

std::vector<Positions::Table> Positions::tables() const {
  if (!axes_.tables()) return {{"pos_embed", tokens(axes_.sizes().back())}};
  std::vector<Table> all;
  for (const int64_t size : axes_.sizes()) all.push_back({concat("pos_embed_list.", all.size()), tokens(size)});
  return all;
}

Tensor Positions::at(int64_t subnet, int64_t width, int64_t full) const {
  const Tensor table = nn::live(tables_.at(static_cast<size_t>(table_of(subnet))), width, full)(0);  // [T, p]
  const int64_t size = axes_.size_index(subnet), all = table.size(0);
  if (axes_.tables() || size + 1 == std::ssize(axes_.sizes())) return table;
  return cat({table.slice(0, 0, first_), matmul(resize_.at(static_cast<size_t>(size)), table.slice(0, first_, all))}, 0);
}

void Positions::resize(std::vector<Tensor>& parts, const std::vector<nn::Parameter>& all, int64_t subnet, int64_t width,
                       int64_t full) const {
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == "pos_embed") parts[i] = at(subnet, width, full).unsqueeze(0);
  }
}

bool Positions::used(const nn::Parameter& parameter, int64_t subnet) const {
  if (!axes_.tables() || !parameter.name.starts_with("pos_embed_list.")) return true;
  return parameter.name == tables_.at(static_cast<size_t>(table_of(subnet))).name;
}

void Positions::describe(std::vector<Cost>& costs) const {
  const std::vector<Table> all = tables();
  for (Cost& cost : costs) {
    const int64_t width = width_of(cost.subnet), own = tokens(axes_.view(cost.subnet.id).size);
    cost.table = table_of(cost.subnet.id);
    cost.table_params = all.at(static_cast<size_t>(cost.table)).tokens * width;
    cost.params += cost.table_params - own * width;  // a smaller size may read the table of the largest
  }
}

void Positions::describe(PlainVit& vit, int64_t width) const {
  if (!axes_.tables()) return;
  for (const auto& [name, tokens] : tables()) {
    if (tokens == vit.tokens()) vit.pos_embed = name;
    if (width == 0) vit.tables.push_back(tokens);
  }
}

int64_t Positions::params_beyond_largest(int64_t width) const {
  int64_t sum = -tables().back().tokens;
  for (const Table& table : tables()) sum += table.tokens;
  return sum * width;
}

Tensor resize_positions(const Tensor& table, int64_t first, int64_t tokens) {
  const int64_t width = table.size(2), from = side_of(table.size(1) - first), to = side_of(tokens - first);
  const Tensor patches = table.slice(1, first, table.size(1)).transpose(1, 2).reshape({1, width, from, from});
  const Tensor resized = resize_bilinear(patches, to, to, true).view({1, width, to * to}).transpose(1, 2);
  return cat({table.slice(1, 0, first), resized}, 1);
}

}  // namespace hv::models
