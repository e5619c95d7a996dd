// What every width says to every image of an evaluation: predictions.csv of a run folder.
//
//   index,label,predicted_heads3,loss_heads3,confidence_heads3,predicted_heads4,...
// One row an image; classes by number; the loss is the cross-entropy, the confidence the probability of the predicted class.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/elastic.h"

namespace hv::train {

class Predictions {
 public:
  Predictions(const std::vector<models::Subnet>& widths, const data::Dataset& dataset)
      : widths_(widths), dataset_(dataset), of_(widths.size()) {}
  void add(size_t width, const Tensor& logits);  // [B, classes] of the next B images at this width: EvaluateOptions::seen
  std::string csv() const;

 private:
  struct One {
    int64_t predicted = 0;
    double loss = 0, confidence = 0;
  };
  std::vector<models::Subnet> widths_;
  const data::Dataset& dataset_;
  std::vector<std::vector<One>> of_;  // [width][image]
};

}  // namespace hv::train
