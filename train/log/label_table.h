// Tables of results for single labels (Metric::label), where pictures have several labels each.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "train/scores/scorer.h"

namespace hv::train {

// Which results are shown label by label, by their index: all if they are at most `most`, else the one of most MACs and the
// one of fewest. None if no metric has a label.
std::vector<size_t> shown_by_label(const std::vector<Result>& results, size_t most);

// A line per label, a column per metric, then the note; "" if no metric has a label.
std::string label_table(const Result& result);
// The tables of the widest and the narrowest subnetwork, each with its name above it; of one alone, its own. Then the note and
// the warning.
std::string label_tables(const std::vector<Result>& results);

}  // namespace hv::train
