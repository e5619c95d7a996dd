// The Pareto front: which of some things to choose from are worth their cost. A point is dominated if another one costs no more
// and is worth no less, and one of the two is better.
//
// Invariants
//   1. Along the front, cost and worth both rise. Of equal points the first one is a member.
//   2. A point whose cost or worth is not finite is no member and is never chosen.
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace hv::train {

struct Priced {
  double cost = 0;   // less is better: MACs, seconds per image
  double worth = 0;  // more is better: accuracy
};

std::vector<size_t> pareto_front(const std::vector<Priced>& points);  // indices, by rising cost
// The point of the largest worth that costs at most `budget`, of several the cheapest; nothing if all cost more.
std::optional<size_t> best_within(const std::vector<Priced>& points, double budget);

}  // namespace hv::train
