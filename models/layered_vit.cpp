#include "models/layered_vit.h"

#include <algorithm>
#include <numeric>

#include "models/kinds.h"

namespace hv::models {

int64_t LayeredVit::Block::width() const { return std::accumulate(heads.begin(), heads.end(), int64_t{0}); }

std::vector<int64_t> LayeredVit::alive(int64_t block) const {
  std::vector<int64_t> tokens;
  for (int64_t t = 0; t < outer.tokens(); ++t) {
    if (lives.empty() || lives[static_cast<size_t>(t)] > block) tokens.push_back(t);
  }
  return tokens;
}

std::optional<PlainVit> LayeredVit::plain() const {
  const Block& first = blocks.front();
  const bool alike = std::all_of(blocks.begin(), blocks.end(), [&](const Block& b) {
    const bool equal = std::all_of(b.heads.begin(), b.heads.end(), [&](int64_t size) { return size == outer.scale_dim; });
    return equal && b.heads.size() == first.heads.size() && b.hidden == first.hidden;
  });
  if (!alike || !lives.empty() || first.width() != outer.width || first.hidden == 0) return std::nullopt;
  PlainVit vit = outer;
  vit.stacked = true;
  vit.hidden = first.hidden;
  return vit;
}

std::optional<LayeredVit> layered_vit(const Config& config) {
  const Kind& kind = kind_of(config);
  return kind.layers ? std::optional(kind.layers(config)) : std::nullopt;
}

}  // namespace hv::models
