#include "train/optim/not_finite.h"

#include <cmath>

namespace hv::train {
namespace {

// Describes the first value that is not finite, as "gradient of head.weight is not a number at element 7 of [10, 24]". Returns
// "" if all values are finite.
std::string bad_value(const std::string& name, const Tensor& tensor) {
  if (!tensor.defined()) return "";
  const Tensor flat = tensor.detach().contiguous();
  const Real* at = flat.data();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    if (!std::isfinite(at[i])) {
      return concat(name, " is ", std::isnan(at[i]) ? "not a number" : "infinite", " at element ", i, " of ", tensor.shape());
    }
  }
  return "";
}

}  // namespace

std::string cause_of_bad_value(const data::Batch* batch, const std::vector<nn::Parameter>& parameters) {
  std::string found;
  if (batch) found = bad_value("input images", batch->images);
  if (batch && found.empty()) found = bad_value("input targets", batch->targets);
  for (const nn::Parameter& p : parameters) {
    if (found.empty()) found = bad_value("weight " + p.name, p.value);
  }
  for (const nn::Parameter& p : parameters) {
    if (found.empty()) found = bad_value("gradient of " + p.name, p.value.grad());
  }
  if (!found.empty()) return ": " + found;
  double largest = -1;
  for (const nn::Parameter& p : parameters) {
    for (const double value : p.value.to_vector()) {
      if (std::abs(value) > largest) {
        largest = std::abs(value);
        found = p.name;
      }
    }
  }
  return concat(": inputs, weights and gradients are finite, values between them overflow; the largest weight is ", largest,
                " in ", found);
}

}  // namespace hv::train
