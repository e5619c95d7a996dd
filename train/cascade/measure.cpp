#include "train/cascade/measure.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"

namespace hv::train {

double Measure::of(const Real* logits, int64_t count) {
  largest_.assign(logits, logits + count);
  if (std::any_of(largest_.begin(), largest_.end(), [](double x) { return std::isnan(x); })) {
    return std::numeric_limits<double>::quiet_NaN();  // sorting needs an order
  }
  const int64_t used = entropy() && classes_ > 0 ? std::min(classes_, count) : count;
  if (entropy()) std::partial_sort(largest_.begin(), largest_.begin() + used, largest_.end(), std::greater<>());
  const double largest = *std::max_element(largest_.begin(), largest_.end());
  double sum = 0, weighted = 0;  // of e^x, and of x e^x, where x is a logit minus the largest
  for (int64_t k = 0; k < used; ++k) {
    const double x = largest_[static_cast<size_t>(k)] - largest, power = std::exp(x);
    sum += power;
    if (power > 0) weighted += x * power;
  }
  // p = e^x / sum, so ln p = x - ln sum. The other classes drop out of the renormalised probabilities.
  return entropy() ? std::log(sum) - weighted / sum : 1 / sum;
}

bool Measure::surer(double a, double b) const {
  if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  return entropy() ? a < b : a > b;
}

double Measure::between(const std::vector<double>& surest_first, size_t stay) const {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (entropy()) {  // the surest that goes on is not below the threshold
    if (stay < surest_first.size() && !std::isnan(surest_first[stay])) return surest_first[stay];
    return stay > 0 ? std::nextafter(surest_first[stay - 1], infinity) : 0;
  }
  if (stay > 0) return surest_first[stay - 1];  // the least sure that stays is at the threshold
  return surest_first.empty() || std::isnan(surest_first[0]) ? 0 : std::nextafter(surest_first[0], infinity);
}

std::string Measure::rule() const {
  if (!entropy()) return "the largest probability is at least the threshold";
  return concat("the entropy of ", classes_ > 0 ? concat("the ", classes_, " largest") : "all",
                " classes is below the threshold");
}

}  // namespace hv::train
