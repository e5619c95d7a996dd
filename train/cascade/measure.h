// How sure an answer is, as one number per image, and when it is sure enough.
//
//   entropy     -sum p ln p over the `classes` largest probabilities, renormalised to sum 1: 0 is sure. Sure enough strictly
//               below the threshold. With 10 classes this is the measure of ThinkingViT's authors.
//   confidence  the largest probability: 1 is sure. Sure enough at or above the threshold.
// A NaN is never sure enough.
// Thread rule: one thread uses a Measure (it keeps scratch memory).
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"

namespace hv::train {

class Measure {
 public:
  enum class Kind { entropy, confidence };
  explicit Measure(Kind kind = Kind::entropy, int64_t classes = 10) : kind_(kind), classes_(classes) {}  // classes 0: all
  double of(const Real* logits, int64_t count);                                                          // of one image
  bool enough(double value, double threshold) const { return entropy() ? value < threshold : value >= threshold; }
  bool surer(double a, double b) const;  // a strict order; a NaN is the least sure
  // The threshold at which all values but `stay` of them go on, for values from the surest to the least sure: it separates the
  // two groups, unless the values on both sides of the border are equal.
  double between(const std::vector<double>& surest_first, size_t stay) const;

  bool entropy() const { return kind_ == Kind::entropy; }
  const char* name() const { return entropy() ? "entropy" : "confidence"; }
  int64_t classes() const { return classes_; }
  std::string rule() const;  // "the entropy of the 10 largest classes is below the threshold"

 private:
  Kind kind_;
  int64_t classes_;
  std::vector<double> largest_;
};

}  // namespace hv::train
