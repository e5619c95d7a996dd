// Which widths a command works on.
#pragma once

#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/state/checkpoint.h"

namespace hv::train {

// The widths that `heads` names ("" means all of the model's). One the model does not have: an error (Fault::usage).
std::vector<models::Subnet> choose_widths(const models::ElasticModel& model, const std::string& heads);
// The widths a checkpoint was trained for.
std::string trained_heads(const Header& header);

}  // namespace hv::train
