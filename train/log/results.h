// The results of `hydravit eval`, as a table and as JSON.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "train/io/json.h"
#include "train/scores/scorer.h"

namespace hv::train {

// The orders of --sort: as the model lists its subnetworks; by cost, the cheapest first; by the metric that decides, the best
// first; by name. Equal ones stay in the model's order.
std::vector<std::string> result_orders();
std::vector<Result> ordered(std::vector<Result> results, const std::string& order);

// All metrics of the whole, a line per subnetwork (those of single labels: label_table.h). The rows of several axes stand in
// groups by the first one, in the model's order, and those on the Pareto front of the metric that decides over MACs are marked
// (train/pareto/front.h); in JSON as "front". JSON has the metrics of single labels, too.
std::string results_table(const std::vector<Result>& results, const std::string& order);
Json results_json(const std::vector<Result>& results);

}  // namespace hv::train
