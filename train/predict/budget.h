// The widest subnetwork that a budget allows: multiply-adds an image, or milliseconds an image on this machine.
//
// Invariants
//   1. Costs are asked narrowest first, and no further than the first that is over the budget: what cannot be used is not
//      measured.
//   2. A budget below the narrowest one's cost is an error (Fault::usage) that names that cost.
// Thread rule: as ElasticModel.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/elastic.h"

namespace hv::train {

// "5e6", "800k", "12M", "1.5G". Anything else, 0 and less: an error (Fault::usage) that shows these forms.
double parse_amount(const std::string& option, const std::string& text);

// `print` writes a cost with its unit, for errors.
models::Subnet widest_within(const std::string& option, double budget, const std::vector<models::Subnet>& narrowest_first,
                             const std::function<double(const models::Subnet&)>& cost,
                             const std::function<std::string(double)>& print);

// Milliseconds of forward on a batch of one: the median of up to 15 runs, after 3 that do not count; a second at most, beyond 3
// runs.
double measure_ms(models::ElasticModel& model, const models::Subnet& subnet);

}  // namespace hv::train
