// Chooses the widest subnetwork that a budget allows. A budget is a number of multiply-adds per image, or of milliseconds per
// image on this machine.
//
// Invariants
//   1. The costs are computed from the narrowest subnetwork on, up to the first that exceeds the budget. So no time is spent on
//      measuring wider ones.
//   2. A budget below the cost of the narrowest subnetwork is an error (Fault::usage) that names this cost.
// Thread rule: the same as that of ElasticModel.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/io/memory.h"

namespace hv::train {

// `cost` returns the cost of a subnetwork, in the unit of `budget`; `print` writes a cost with its unit, for errors.
models::Subnet widest_within(const std::string& option, double budget, const std::vector<models::Subnet>& narrowest_first,
                             const std::function<double(const models::Subnet&)>& cost,
                             const std::function<std::string(double)>& print);

// The time of a forward pass on one image, in milliseconds: the median of 3 to 15 runs, after 3 runs as a warm-up. After the
// third run it stops as soon as the runs have taken one second.
double measure_ms(models::ElasticModel& model, const models::Subnet& subnet);

}  // namespace hv::train
