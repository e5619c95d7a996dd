// How tables, JSON and sentences show the axes of subnetworks. It uses the axes that the model gives and knows no axis by name.
// Which subnetworks: train/choice/choose.h.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/choice/choose.h"
#include "train/io/json.h"

namespace hv::train {

std::string axis_text(const models::Axis& axis);  // "5", "0.7"
// A JSON object with one member per axis: only the axes that distinguish the subnetworks (Axis::chosen), or all.
Json axes_json(const models::Subnet& subnet, bool all = false);
// The names and the values of the axes as columns of a table: right-aligned, one space apart.
std::string axis_names(const models::Subnet& subnet);
std::string axis_values(const models::Subnet& subnet);
int64_t chosen_axes(const models::Subnet& subnet);  // how many axes distinguish the subnetworks
// What a table prints before a row: an empty line where the first axis changes, if there is more than one.
const char* group_gap(const models::Subnet& before, const models::Subnet& row);

// Both use only the axes that distinguish the subnetworks. subnet_text gives "5 heads" or "1 head", for sentences; short_text
// gives "5", for places that name the axis elsewhere.
std::string subnet_text(const models::Subnet& subnet);
std::string short_text(const models::Subnet& subnet);

}  // namespace hv::train
