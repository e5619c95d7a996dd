// Which subnetworks a prediction uses: by name, or the widest that a budget allows.
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
  Fields fields();
};
// Refuses two of them, and amounts that are none, before anything is loaded (Fault::usage).
void check_choice(const WidthChoice& choice, const std::set<std::string>& given);
// Narrowest first; the widest that the model was trained for if nothing is chosen. With budget_ms, subnetworks are timed here.
std::vector<models::Subnet> chosen_widths(const WidthChoice& choice, const Loaded& loaded);

}  // namespace hv::train
