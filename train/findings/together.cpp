#include "train/findings/together.h"

#include <limits>

#include "core/check.h"

namespace hv::train {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

template <class Number>
std::vector<double> conditional(const std::vector<std::vector<Number>>& labels) {
  std::vector<double> shares;
  for (size_t a = 0; a < labels.size(); ++a) {
    double alone = 0;
    for (const Number one : labels[a]) alone += static_cast<double>(one);
    for (size_t b = 0; b < labels.size(); ++b) {
      double both = 0;
      for (size_t i = 0; i < labels[a].size(); ++i)
        both += static_cast<double>(labels[a][i]) * static_cast<double>(labels[b][i]);
      shares.push_back(a == b || alone == 0 ? kNone : both / alone);
    }
  }
  return shares;
}

}  // namespace

Together together(const std::vector<std::vector<uint8_t>>& targets, const std::vector<std::vector<double>>& probabilities) {
  HV_CHECK(targets.size() == probabilities.size(), "together: targets of ", targets.size(), " labels, probabilities of ",
           probabilities.size());
  return {conditional(targets), conditional(probabilities)};
}

}  // namespace hv::train
