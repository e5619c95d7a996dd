// The first section of the page: what was run, and the command that repeats it.
// Thread rule: one thread.
#pragma once

#include "train/draw/html.h"
#include "train/runs/run_data.h"

namespace hv::train {

void add_about(Page& page, const RunData& run);

}  // namespace hv::train
