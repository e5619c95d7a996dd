#include "train/log/predictions.h"

#include <cmath>
#include <cstdio>

namespace hv::train {

void Predictions::add(size_t subnet, const Tensor& logits) {
  const int64_t classes = logits.size(-1);
  const Tensor rows = logits.contiguous();
  const Real* row = rows.data();
  for (int64_t b = 0; b < logits.size(0); ++b) {
    One one;
    for (int64_t k = 1; k < classes; ++k) {
      if (row[k] > row[one.predicted]) one.predicted = k;
    }
    const double largest = static_cast<double>(row[one.predicted]);
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(row[k]) - largest);
    const int64_t label = dataset_.label(images_.at(of_[subnet].size()));
    HV_CHECK(label >= 0 && label < classes, "predictions: ", dataset_.name(), ": an image without a single label: ", label);
    one.loss = std::log(sum) + largest - static_cast<double>(row[label]);
    one.confidence = 1 / sum;
    of_[subnet].push_back(one);
    row += classes;
  }
}

std::string Predictions::csv() const {
  std::string text = "index,label";
  for (const models::Subnet& subnet : subnets_) {
    for (const char* what : {"predicted", "loss", "confidence"}) text += concat(',', what, '_', subnet.name);
  }
  text += '\n';
  for (size_t i = 0; i < of_.at(0).size(); ++i) {
    text += std::to_string(images_[i]) + ',' + std::to_string(dataset_.label(images_[i]));
    for (const std::vector<One>& said : of_) {
      char cells[96];
      std::snprintf(cells, sizeof cells, ",%lld,%.6g,%.4f", static_cast<long long>(said[i].predicted), said[i].loss,
                    said[i].confidence);
      text += cells;
    }
    text += '\n';
  }
  return text;
}

}  // namespace hv::train
