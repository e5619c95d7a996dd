// Charts of the sizes of a model's blocks, and of a search for such sizes.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/structure.h"
#include "train/draw/plot.h"

namespace hv::train {

// The share of each block that is left: of one subnetwork a chart with a line per part, of several a chart per part with a line
// per subnetwork. Empty if there are no sizes.
std::vector<Chart> kept_charts(const std::vector<models::LayerSizes>& layers);
// The values of each family, the largest first, so that what a budget keeps lies left of its mark.
std::vector<Chart> ranking_charts(const models::Ranking& ranking, const std::vector<double>& budgets);

}  // namespace hv::train
