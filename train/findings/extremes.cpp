#include "train/findings/extremes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"

namespace hv::train {

Extremes extremes(std::span<const double> scores, std::span<const uint8_t> targets, size_t most) {
  HV_CHECK(scores.size() == targets.size(), "extremes: ", scores.size(), " scores for ", targets.size(), " targets");
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const auto key = [&](size_t i) { return !std::isnan(scores[i]) ? scores[i] : targets[i] ? -kInfinite : kInfinite; };
  std::vector<size_t> with, without;
  for (size_t i = 0; i < scores.size(); ++i) (targets[i] ? with : without).push_back(i);
  const auto take = [&](std::vector<size_t> pictures, size_t count, double sign) {
    std::stable_sort(pictures.begin(), pictures.end(), [&](size_t a, size_t b) { return sign * key(a) > sign * key(b); });
    pictures.resize(std::min(pictures.size(), count));
    return pictures;
  };
  const std::vector<size_t> found = take(with, std::min(most, (with.size() + 1) / 2), 1);
  std::vector<size_t> rest = with;
  std::erase_if(rest, [&](size_t i) { return std::find(found.begin(), found.end(), i) != found.end(); });
  return {found, take(rest, most, -1), take(without, most, 1)};
}

}  // namespace hv::train
