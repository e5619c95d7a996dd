// Blocks with sizes of their own (models/layered_vit.h).
//
// Rows of qkv are split into the q, k and v of each head, which may have any size; the heads are put side by side again. A
// block without dimensions of heads, or without hidden units, adds that part's bias alone. Tokens that leave are known
// beforehand, so the others are gathered by constant places; where tokens are masked, what comes out of a norm is multiplied
// by 0 or 1.
// Thread rule: as Graph.
#pragma once

#include "train/onnx/pieces.h"

namespace hv::train::onnx_graph {

void add_layers(Pieces& g, const models::LayeredVit& layers);  // images -> logits

}  // namespace hv::train::onnx_graph
