// What `hydravit data verify` and `data stats` print: lines for people (which the caller makes printable), and JSON.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "data/inspect.h"
#include "train/describe/label_table.h"

namespace hv::train {

Lines verify_lines(const std::string& directory, const data::VerifyResult& result);
std::string verify_json(const std::string& directory, const data::VerifyResult& result);
// `splits`: of all splits, if images have several labels.
Lines stats_lines(const data::Stats& stats, const std::string& split, const std::vector<data::SplitCounts>& splits);
std::string stats_json(const data::Stats& stats, const std::string& split, const std::vector<data::SplitCounts>& splits);

}  // namespace hv::train
