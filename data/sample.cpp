#include "data/sample.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "core/random.h"

namespace hv::data {

// All images are shuffled. Then the j-th image of a class of c images gets the place (j + 1/2) / c between 0 and 1: each class
// fills that range evenly, so each part of the range holds its share of every class. (Sainte-Lague's way of giving out seats.)
std::vector<int64_t> spread_order(const Dataset& dataset, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (dataset.mixed_order()) return order;
  Stream stream(seed, Purpose::sample);
  for (size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[stream.below(static_cast<uint32_t>(left))]);
  }
  std::map<int64_t, int64_t> count, seen;  // by label; images of several labels have -1 and count as one class
  for (const int64_t i : order) ++count[dataset.label(i)];
  std::vector<std::pair<double, int64_t>> places;
  places.reserve(order.size());
  for (const int64_t i : order) {
    const int64_t label = dataset.label(i);
    places.emplace_back((static_cast<double>(seen[label]++) + 0.5) / static_cast<double>(count[label]), i);
  }
  std::stable_sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::transform(places.begin(), places.end(), order.begin(), [](const auto& place) { return place.second; });
  return order;
}

std::vector<int64_t> sample(const Dataset& dataset, int64_t limit, uint64_t seed) {
  std::vector<int64_t> chosen(static_cast<size_t>(dataset.size()));
  std::iota(chosen.begin(), chosen.end(), int64_t{0});
  if (limit <= 0 || limit >= dataset.size()) return chosen;
  chosen = spread_order(dataset, seed);
  chosen.resize(static_cast<size_t>(limit));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace hv::data
