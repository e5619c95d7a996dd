// The file of eval --predictions.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/scores/scorer.h"
#include "train/state/load.h"

namespace hv::train {

// Everything an evaluation saw, for a notebook: images [N, 3, H, W] as bytes, labels [N], and logits.<subnetwork> [N, classes].
void write_evaluated(const std::string& path, const Loaded& loaded, const data::Dataset& test,
                     const std::vector<int64_t>& images, const std::vector<Result>& results,
                     const std::vector<std::vector<float>>& logits);

}  // namespace hv::train
