// What a pass of a vision transformer needs, by its shape: for the rows of models/kinds.cpp.
// Thread rule: a pure function.
#pragma once

#include "models/kinds.h"

namespace hv::models {

// At the width of the pass. pixels: numbers of an image; tokens: with those that are no patches.
struct VitShape {
  int64_t pixels, tokens, heads, head_dim, mlp_ratio, depth, classes;
};
Need vit_need(const VitShape& shape, int64_t macs);  // macs: of one image

}  // namespace hv::models
