// How attention reads a row of q, k and v. A number alone is the size of stacked heads.
// Thread rule: plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace hv {

// Heads that differ in size, and may lie in several pieces. sizes[i][h] is the size of piece i of head h, 0 allowed. A row of
// q, k and v is (piece, head, {q, k, v}, size), a row of results (piece, head, size). So if a smaller model has the first
// pieces of each head, its columns are a prefix.
struct HeadTable {
  struct Piece {
    int64_t qkv, out, size;  // where its q begins (k and v: size and 2 size later), where its results do
  };
  std::vector<std::vector<Piece>> heads;  // pieces of each head, those of size 0 left out
  std::vector<int64_t> dims;              // of each head: their sum
  int64_t width = 0, largest = 0;         // columns of the results; of the largest head

  explicit HeadTable(const std::vector<std::vector<int64_t>>& sizes) : heads(sizes.at(0).size()), dims(sizes[0].size()) {
    for (const std::vector<int64_t>& piece : sizes) {
      for (size_t h = 0; h < heads.size(); ++h) {
        const int64_t size = piece.at(h);
        if (size == 0) continue;
        heads[h].push_back({3 * width, width, size});
        width += size;
        dims[h] += size;
        if (dims[h] > largest) largest = dims[h];
      }
    }
  }
};

struct HeadLayout {
  int64_t head_dim = 0;  // D, of the largest head
  // true: a row is (head, {q, k, v}, D), so that the first k heads are a prefix. false: ({q, k, v}, head, D), as timm has it.
  bool stacked = true;
  double multiplier = 0;                   // of the scores; 0: 1 / sqrt(D)
  std::shared_ptr<const HeadTable> table;  // null: all heads are of size D, and there are as many as a row holds
  HeadLayout(int64_t d, bool stacked_heads = true, double score_multiplier = 0)
      : head_dim(d), stacked(stacked_heads), multiplier(score_multiplier) {}
  HeadLayout(std::shared_ptr<const HeadTable> unequal, double score_multiplier)
      : head_dim(unequal->largest), multiplier(score_multiplier), table(std::move(unequal)) {}
};

}  // namespace hv
