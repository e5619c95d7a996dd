// Which subnetworks a prediction uses: by values and names, or the best that a budget allows.
// Thread rule: one thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "train/choice/choose.h"
#include "train/io/fields.h"
#include "train/state/load.h"

namespace hv::train {

struct WidthChoice {  // a budget, or a choice by values and names
  SubnetChoice subnets;
  std::string budget_macs, budget_ms;
  bool measure_again = false;
  Fields fields();
};
// Refuses both, and amounts that are none, before anything is loaded (Fault::usage).
void check_choice(const WidthChoice& choice, const std::set<std::string>& given);
// In the model's order; the last that the model was trained for if nothing is chosen. With budget_ms, subnetworks are timed
// here, or their times come from the cache (train/predict/latency_cache.h). `ema`: the accuracies of the averaged weights
// count.
std::vector<models::Subnet> chosen_widths(const WidthChoice& choice, const Loaded& loaded, bool ema);

}  // namespace hv::train
