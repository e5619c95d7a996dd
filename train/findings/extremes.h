// The pictures that a score gets most right and most wrong, of one label.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hv::train {

// Numbers of pictures, the most extreme first; of equal scores the lower number first. A score that is NaN is the worst
// possible answer. No picture is in two lists: few positive ones are shared out, the higher half as found.
struct Extremes {
  std::vector<size_t> found;         // with the label, highest scores
  std::vector<size_t> missed;        // with the label, lowest scores
  std::vector<size_t> false_alarms;  // without it, highest scores
};
Extremes extremes(std::span<const double> scores, std::span<const uint8_t> targets, size_t most);

}  // namespace hv::train
