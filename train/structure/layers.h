// The sizes of a model's blocks, as text.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/structure.h"
#include "train/io/json.h"

namespace hv::train {

// A row per block, of each subnetwork. The first row holds the titles. Empty if there are no sizes.
std::vector<std::vector<std::string>> layer_table(const std::vector<models::LayerSizes>& layers);
// The rows as lines, with columns as wide as their widest text; each line begins with `indent`.
std::string aligned(const std::vector<std::vector<std::string>>& rows, const std::string& indent = "");
// A list with an object per subnetwork: of each part a block's whole size, the sizes left and what they are the sum of.
Json layers_json(const std::vector<models::LayerSizes>& layers);

}  // namespace hv::train
