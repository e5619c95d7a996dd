// Vision transformers whose blocks have sizes of their own: what files of other programs need to know of them. A kind describes
// its models so (Kind::layers); what writes or reads files has to know no kind.
//
// Invariants
//   1. Parameters have timm's names. Of a block with heads of sizes D_h, H their sum and M hidden units, on a width of E:
//      qkv [3H, E] with rows (head, {q, k, v}, size), proj [E, H], fc1 [M, E], fc2 [E, M]. H and M may be 0.
//   2. What lies around the blocks is that of a plain vision transformer.
//   3. A description is small: it may come from a file, and nobody has looked yet whether the weights are there.
// Thread rule: plain data; functions as models/kinds.h.
#pragma once

#include <optional>
#include <vector>

#include "models/plain_vit.h"

namespace hv::models {

struct LayeredVit {
  struct Block {
    std::vector<int64_t> heads;  // dimensions of each
    int64_t hidden = 0;
    int64_t width() const;  // H
  };
  PlainVit outer;  // everything but the blocks' sizes
  std::vector<Block> blocks;
  std::vector<int64_t> lives;  // in how many blocks each token takes part; empty: in all
  bool masked = false;         // tokens whose life is over stay, as 0 behind the norms of a block

  std::vector<int64_t> alive(int64_t block) const;  // the tokens that take part, rising
  // The same as a plain one, if its blocks are alike, their heads fill the width, scores are scaled by their size, and all
  // tokens stay.
  std::optional<PlainVit> plain() const;
};

// Of the full model; nothing if the kind describes none.
std::optional<LayeredVit> layered_vit(const Config& config);

}  // namespace hv::models
