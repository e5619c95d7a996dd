// Which model the options of a training describe: a preset, with the entries of its configuration that options change.
// Thread rule: pure functions.
#pragma once

#include "models/kinds.h"
#include "train/options.h"

namespace hv::train {

models::Config model_config(const TrainOptions& options, int64_t classes);

// Before any model is built or data is read: the model exists and has the widths that are to be trained. Fault::usage.
void check_model(const TrainOptions& options);

}  // namespace hv::train
