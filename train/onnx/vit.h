// The blocks of a vision transformer whose blocks are all of one size, with the pruning of tokens (models/token_axes.h).
// Thread rule: as Graph.
#pragma once

#include "train/onnx/pieces.h"

namespace hv::train::onnx_graph {

void add_vit(Pieces& g);  // images -> logits

}  // namespace hv::train::onnx_graph
