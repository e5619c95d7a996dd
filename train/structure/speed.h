// The speeds of several runs' models, measured side by side.
// Thread rule: one thread calls; the passes use all cores.
#pragma once

#include <string>
#include <vector>

#include "train/runs/run_data.h"

namespace hv::train {

// Replaces the speeds of the runs: each is that of the best of a few passes, which all subnetworks of all runs make in turn, so
// that a busy moment hits them alike. It takes half a minute at most, or a single image of each. -> how many images a pass had.
// A run whose model cannot be loaded has no speed afterwards.
int64_t measure_in_turn(const std::vector<RunData*>& runs);

}  // namespace hv::train
