#include "train/choice/few.h"

#include <algorithm>

namespace hv::train {

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
  const size_t room = views ? kFew - 1 : kFew, count = std::min(room, full.size());
  std::vector<size_t> chosen;
  for (size_t i = 0; i < count; ++i) {
    chosen.push_back(count == 1 ? full.back() : full[(i * (full.size() - 1) + (count - 1) / 2) / (count - 1)]);
  }
  if (views) chosen.push_back(cheapest);
  std::sort(chosen.begin(), chosen.end());
  std::vector<models::Subnet> few;
  for (const size_t i : chosen) few.push_back(all[i]);
  return few;
}

}  // namespace hv::train
