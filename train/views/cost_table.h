// What each subnetwork costs, as a table for people: `hydravit info`.
// Thread rule: pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/kinds.h"

namespace hv::train {

// Beside the costs also how good each was at the last evaluation, by live and by averaged weights; `metrics` as a checkpoint
// keeps them. Empty if there are no costs.
std::string cost_table(const std::vector<models::Cost>& costs, const std::map<std::string, double>& metrics = {});

}  // namespace hv::train
