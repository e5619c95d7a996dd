// Subnetworks that several axes tell apart, such as a width, a size of images and a rate of tokens: grouped by the first of
// these axes, and a few of them for charts that draw a line each. No axis is known by name.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "models/elastic.h"

namespace hv::train {

struct Views {
  size_t groups = 0;          // how many values the first axis has
  std::vector<size_t> group;  // by subnetwork: which of them it has, counted in the order of appearance
  std::vector<bool> full;     // by subnetwork: in all axes but the first it is as the last subnetwork
  bool several_axes() const { return groups < group.size(); }
};
Views grouped_views(const std::vector<models::Subnet>& subnets);

// Which subnetworks get a line of their own: all of one axis; of several axes those that are `full`, at most `most` of them.
std::vector<size_t> a_few(const Views& views, size_t most = 8);

std::string first_axis_text(const models::Subnet& subnet);   // "5 heads"
std::string first_axis_name(const models::Subnet& subnet);   // "heads"
std::string other_axes_text(const models::Subnet& subnet);   // "px and keep"; "" if there is one axis
std::string chosen_axes_text(const models::Subnet& subnet);  // "heads/px/keep": what short_text() gives the values of

}  // namespace hv::train
