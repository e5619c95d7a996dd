// The section of a report about the sizes of a model's blocks, or about a search for them.
// Thread rule: one thread.
#pragma once

#include "train/draw/html.h"
#include "train/runs/run_data.h"

namespace hv::train {

// Nothing of a model whose blocks are alike.
void add_structure(Page& page, const RunData& run, const Figure& figure);

}  // namespace hv::train
