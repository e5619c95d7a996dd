// How often labels occur in the splits of a data set whose images have several each: tables for people, and JSON.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "data/label_counts.h"
#include "train/io/json.h"

namespace hv::train {

using Lines = std::vector<std::string>;

// A line per label, with a column per split; then images without a label, all images, and patients.
Lines label_table(const std::vector<std::string>& labels, const std::vector<data::SplitCounts>& splits);
// Labels x labels: images that have both.
Lines together_table(const std::vector<std::string>& labels, const data::LabelCounts& counts);
Json splits_json(const std::vector<std::string>& labels, const std::vector<data::SplitCounts>& splits);

}  // namespace hv::train
