// Chooses a subnetwork within a budget: a number of multiply-adds per image, or of milliseconds per image on this machine. Of
// subnetworks of one axis it is the widest, of several axes the most accurate.
//
// Invariants
//   1. Of one axis, the costs are computed from the narrowest subnetwork on, up to the first that exceeds the budget. So no
//      time is spent on measuring wider ones.
//   2. A budget below the least cost is an error (Fault::usage) that names this cost.
//   3. Of several axes: the highest accuracy, of equal ones the cheapest. If one of those that the budget allows was not
//      evaluated, accuracies do not tell which is the best; then the most MACs.
// Thread rule: the same as that of ElasticModel.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/io/memory.h"
#include "train/state/checkpoint.h"

namespace hv::train {

// `cost` returns the cost of a subnetwork, in the unit of `budget`; `print` writes a cost with its unit, for errors.
models::Subnet widest_within(const std::string& option, double budget, const std::vector<models::Subnet>& narrowest_first,
                             const std::function<double(const models::Subnet&)>& cost,
                             const std::function<std::string(double)>& print);

struct Offer {
  models::Subnet subnet;
  double cost = 0;  // in the unit of the budget
  int64_t macs = 0;
  std::optional<double> accuracy;  // if it was evaluated
};
struct Chosen {
  Offer offer;
  size_t fitting = 0;        // how many of the offers the budget allows
  bool by_accuracy = false;  // or by MACs (invariant 3)
};
Chosen best_offer(const std::string& option, double budget, const std::vector<Offer>& offers,
                  const std::function<std::string(double)>& print);

// What a checkpoint's header tells of its subnetworks at the last evaluation: the metric that decides, by live or averaged
// weights.
std::optional<double> stored_accuracy(const Header& header, const models::Subnet& subnet, bool ema);

// The time of a forward pass on one image, in milliseconds: the median of 3 to 15 runs, after 3 runs as a warm-up. After the
// third run it stops as soon as the runs have taken one second.
double measure_ms(models::ElasticModel& model, const models::Subnet& subnet);

}  // namespace hv::train
