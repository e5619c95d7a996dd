// predictions.csv of a run folder: the prediction of every subnetwork for every image of an evaluation, for data with one label
// per image.
//
//   index,label,predicted_heads3,loss_heads3,confidence_heads3,predicted_heads4,...
// The file has one row per image; `index` is its number in the data set. Classes are numbers from 0; the loss is the
// cross-entropy in nats; the confidence is the probability of the predicted class, 0 to 1.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "data/sample.h"
#include "models/elastic.h"

namespace hv::train {

class Predictions {
 public:
  // Of an evaluation with this limit and seed (train/evaluate.h).
  Predictions(const std::vector<models::Subnet>& subnets, const data::Dataset& dataset, int64_t limit = 0, uint64_t seed = 0)
      : subnets_(subnets), dataset_(dataset), images_(data::sample(dataset, limit, seed)), of_(subnets.size()) {}
  void add(size_t subnet, const Tensor& logits);  // logits [B, classes] of the next B images
  bool empty() const { return of_.empty() || of_[0].empty(); }
  std::string csv() const;

 private:
  struct One {
    int64_t predicted = 0;
    double loss = 0, confidence = 0;
  };
  std::vector<models::Subnet> subnets_;
  const data::Dataset& dataset_;
  std::vector<int64_t> images_;
  std::vector<std::vector<One>> of_;  // [subnetwork][image]
};

}  // namespace hv::train
