#include "train/choice/few.h"

#include <algorithm>

namespace hv::train {

std::vector<size_t> evenly(std::vector<size_t> things, size_t most) {
  if (things.size() <= most || most < 2) return things;
  std::vector<size_t> some;
  const size_t last = things.size() - 1, steps = most - 1;
  for (size_t i = 0; i <= steps; ++i) some.push_back(things[(i * last + steps / 2) / steps]);  // rounded to the nearest
  return some;
}

std::vector<models::Subnet> few_subnets(const std::vector<models::Subnet>& all, const std::string& patterns) {
  if (patterns == kAllSubnets) return all;
  if (!patterns.empty()) return choose_names(all, patterns, kFewOption);
  if (all.size() <= kFew) return all;
  const auto width = [&](size_t i) { return all[i].axes.at(0).value; };
  std::vector<size_t> full;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i + 1 == all.size() || width(i + 1) != width(i)) full.push_back(i);
  }
  size_t cheapest = all.size() - 1;  // view of the widest
  while (cheapest > 0 && width(cheapest - 1) == width(all.size() - 1)) --cheapest;
  const bool views = cheapest + 1 < all.size();
  std::vector<size_t> chosen = evenly(std::move(full), views ? kFew - 1 : kFew);
  if (views) chosen.push_back(cheapest);
  std::sort(chosen.begin(), chosen.end());
  std::vector<models::Subnet> few;
  for (const size_t i : chosen) few.push_back(all[i]);
  return few;
}

}  // namespace hv::train
