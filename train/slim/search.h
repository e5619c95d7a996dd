// The model of a search (models/slim_search.h) for a finished one.
// Thread rule: one thread.
#pragma once

#include <string>

#include "train/options.h"

namespace hv::train {

// Lets the options describe a search that begins with the checkpoint (a file, or a run's last state): its full width, with
// masks, and its weights. A model that is no plain vision transformer of timm's kind is an error (Fault::usage).
void prepare_search(TrainOptions& options, const std::string& checkpoint);

}  // namespace hv::train
