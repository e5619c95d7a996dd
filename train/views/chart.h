// What a second axis buys: the Pareto front of subnetworks as a chart, as sentences and as a table of budgets.
//
// "One axis alone" are those subnetworks that differ from the last one in the first axis only (Views::full). They are among
// all, so within one budget the best of all is never worse.
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/draw/plot.h"
#include "train/pareto/front.h"
#include "train/views/views.h"

namespace hv::train {

struct Contest {  // the subnetworks of a run; one whose numbers are not known has a NaN
  std::string name;
  std::vector<models::Subnet> subnets;
  std::vector<Priced> priced;  // by subnetwork
};

struct ContestWords {
  std::string cost;      // what a budget is counted in: "MACs", "ms"
  std::string axis;      // of the chart: "MACs of one image"
  std::string worth;     // the other axis: "top-1 accuracy in %"
  std::string format;    // of a worth: "%.1f %%"
  std::string distance;  // of a difference of two: "%.1f points"
};

struct Gain {
  double budget = 0;         // the cost of a subnetwork of one axis alone
  size_t best = 0, one = 0;  // within it: the best of all; the best of one axis alone
};
// Where the difference is largest, of equal ones the cheapest; nothing if no subnetwork of one axis alone has known numbers.
std::optional<Gain> largest_gain(const Contest& contest);
std::string gain_title(const Contest& contest, const ContestWords& words);
std::string gain_sentence(const Contest& contest, const ContestWords& words);
// Where this one leads most and least, at the costs on the other's front.
std::string rival_sentence(const Contest& contest, const Contest& rival, const ContestWords& words);

// All subnetworks in colours by the first axis, those that others dominate faint; the front as a line that names its members;
// that of one axis alone as a dashed line. Of the rivals the fronts.
Chart front_chart(const Contest& contest, const std::vector<Contest>& rivals, const ContestWords& words);
// The best within each of eight budgets, up to the dearest in equal ratios.
std::vector<std::vector<std::string>> budget_table(const Contest& contest, const std::vector<Contest>& rivals,
                                                   const ContestWords& words);

}  // namespace hv::train
