// How attention reads a row of q, k and v. A number alone is the size of stacked heads.
// Thread rule: a plain value.
#pragma once

#include <cstdint>

namespace hv {

struct HeadLayout {
  int64_t head_dim = 0;  // D
  // true: a row is (head, {q, k, v}, D), so that the first k heads are a prefix. false: ({q, k, v}, head, D), as timm has it.
  bool stacked = true;
  double multiplier = 0;  // of the scores; 0: 1 / sqrt(D)
  HeadLayout(int64_t d, bool stacked_heads = true, double score_multiplier = 0)
      : head_dim(d), stacked(stacked_heads), multiplier(score_multiplier) {}
};

}  // namespace hv
