#include "data/dataset.h"

#include <algorithm>

#include "core/check.h"

namespace hv::data {

const char* split_name(Split split) {
  static constexpr const char* kNames[] = {"train", "test", "validation"};
  return kNames[static_cast<size_t>(split)];
}

std::string Dataset::item_name(int64_t i) const { return std::to_string(i); }

void Dataset::target(int64_t i, Real* row) const {
  const int64_t own = label(i);
  HV_CHECK_INPUT(own >= 0 && own < classes(), name(), ": label of image ", i, ": expected 0 to ", classes() - 1, ", found ",
                 own, "; check the data set");
  std::fill_n(row, classes(), Real{0});
  row[own] = 1;
}

}  // namespace hv::data
