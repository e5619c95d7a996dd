// Chooses subnetworks by the text of an option, and prints their axes in tables, JSON and sentences. It uses the axes that the
// model gives and knows no axis by name.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/io/json.h"
#include "train/io/ranges.h"
#include "train/state/checkpoint.h"

namespace hv::train {

// The option that chooses subnetworks by the values of their first axis: "3-8", "3,5,8", "0.25-0.5,1". It has the name of
// HydraViT's axis, also for a model whose axis has another name.
inline constexpr const char* kSubnetsOption = "heads";
// Every command that has the option takes the same words: "3-8", "3,5,8", a mix of these, "5", or "all" (train/io/ranges.h).
inline constexpr const char* kAllSubnets = "all";

// The subnetworks of `all` that `text` names; "" and "all" mean all. A range means every whole number in it, or for an
// axis of other values those that lie in it. A value that no subnetwork has is an error (Fault::usage) that begins with
// "--heads: 9 is outside <whose>".
std::vector<models::Subnet> choose_subnets(const std::vector<models::Subnet>& all, const std::string& text,
                                           const std::string& whose);
std::vector<models::Subnet> choose_subnets(const models::ElasticModel& model, const std::string& text);
// The same of a checkpoint's model, where "" and "all" mean those that it was trained for.
std::vector<models::Subnet> choose_trained(const std::vector<models::Subnet>& all, const Header& header,
                                           const std::string& text);
std::vector<models::Subnet> trained_subnets(const models::ElasticModel& model, const Header& header);  // those

std::string axis_text(const models::Axis& axis);  // "5", "0.7"
// A JSON object with one member per axis: only the axes that distinguish the subnetworks (Axis::chosen), or all.
Json axes_json(const models::Subnet& subnet, bool all = false);
// The names and the values of the axes as columns of a table: right-aligned, one space apart.
std::string axis_names(const models::Subnet& subnet);
std::string axis_values(const models::Subnet& subnet);

// Both use only the axes that distinguish the subnetworks. subnet_text gives "5 heads" or "1 head", for sentences; short_text
// gives "5", for places that name the axis elsewhere.
std::string subnet_text(const models::Subnet& subnet);
std::string short_text(const models::Subnet& subnet);

}  // namespace hv::train
