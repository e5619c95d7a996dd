#include "train/pareto/front.h"

#include <algorithm>
#include <cmath>

namespace hv::train {

std::vector<size_t> pareto_front(const std::vector<Priced>& points) {
  std::vector<size_t> order, front;
  for (size_t i = 0; i < points.size(); ++i) {
    if (std::isfinite(points[i].cost) && std::isfinite(points[i].worth)) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return points[a].cost != points[b].cost ? points[a].cost < points[b].cost : points[a].worth > points[b].worth;
  });
  for (const size_t i : order) {
    if (front.empty() || points[i].worth > points[front.back()].worth) front.push_back(i);
  }
  return front;
}

std::optional<size_t> best_within(const std::vector<Priced>& points, double budget) {
  std::optional<size_t> best;
  for (const size_t i : pareto_front(points)) {
    if (points[i].cost <= budget) best = i;
  }
  return best;
}

}  // namespace hv::train
