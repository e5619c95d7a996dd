#include "train/recipes/sampler.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/random.h"
#include "train/io/numbers.h"

namespace hv::train {

WidthSampler::WidthSampler(uint64_t seed, int64_t choices, const std::vector<double>& weights)
    : seed_(seed), choices_(choices) {
  HV_CHECK_USAGE(choices > 0, "--heads: no width to draw from; give at least one");
  if (weights.empty()) return;
  HV_CHECK_USAGE(static_cast<int64_t>(weights.size()) == choices, "--weights: ", weights.size(), " given for ", choices,
                 " widths; give one weight a width of --heads");
  double sum = 0;
  for (const double weight : weights) {
    HV_CHECK_USAGE(std::isfinite(weight) && weight >= 0, "--weights: ", weight, " is not a weight; give numbers from 0 up");
    sum += weight;
  }
  HV_CHECK_USAGE(std::isfinite(sum) && sum > 0, "--weights: the sum is ", sum, "; at least one must be positive");
  double running = 0;
  for (const double weight : weights) {
    running += weight;
    upper_.push_back(running / sum);
  }
  // Rounding must not leave a gap below 1: from the last choice with a positive weight on, the running sums are exactly 1.
  const auto never_drawn = std::find_if(weights.rbegin(), weights.rend(), [](double w) { return w > 0; }) - weights.rbegin();
  std::fill(upper_.end() - 1 - never_drawn, upper_.end(), 1.0);
}

int64_t WidthSampler::draw(int64_t step) const {
  Stream stream(seed_, Purpose::width, static_cast<uint64_t>(step));
  if (upper_.empty()) return stream.below(static_cast<uint32_t>(choices_));
  return std::upper_bound(upper_.begin(), upper_.end(), stream.uniform()) - upper_.begin();
}

double WidthSampler::probability(int64_t choice) const {
  HV_CHECK(choice >= 0 && choice < choices_, "sampler: choice ", choice, " of ", choices_);
  if (upper_.empty()) return 1.0 / static_cast<double>(choices_);
  const size_t i = static_cast<size_t>(choice);
  return upper_[i] - (i > 0 ? upper_[i - 1] : 0.0);
}

std::vector<double> parse_weights(const std::string& option, const std::string& text) {
  std::vector<double> weights;
  if (text.empty()) return weights;
  for (const std::string& part : split(text, ',')) {
    double value = 0;
    HV_CHECK_USAGE(parse_number(part, value), option, ": '", text, "' is no list of numbers; write 1,1,2.5");
    weights.push_back(value);
  }
  return weights;
}

}  // namespace hv::train
