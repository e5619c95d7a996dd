// Why a loss or a gradient is not finite: for the error that ends the step.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "data/loader.h"
#include "nn/module.h"

namespace hv::train {

// ": " and the first input that is not finite, else the first such weight, else the first such gradient. If all these are
// finite, the products of large weights overflow, and the largest weight is named. `batch` may be null. This reads all values,
// so it is for errors alone.
std::string cause_of_bad_value(const data::Batch* batch, const std::vector<nn::Parameter>& parameters);

}  // namespace hv::train
