// A mean budget of multiply-adds for a set of images: the least sure go on, as many as the budget allows.
//
// Invariants
//   1. Every image gets its first look. Of the images that a stage has looked at, as many go on to the next as the rest of the
//      budget pays for: the least sure first, of equally sure ones the earlier. So the mean is at most the budget, and one more
//      image would exceed it (with more than two stages: one more at the same stage).
//   2. All images, and what the model hands on, are kept until finish(): bytes() of memory.
// Thread rule: one thread.
#pragma once

#include <vector>

#include "train/cascade/cascade.h"

namespace hv::train {

struct Spent {
  std::vector<int64_t> looked;     // by stage: images
  std::vector<double> thresholds;  // by stage but the last: with it, CascadeRunner lets the same images go on
  bool exact = true;               // false: equally sure images were parted, which no threshold does
  double mean_macs = 0;
};

class Spender {
 public:
  // `mean_budget` is at least the cost of the first stage.
  Spender(models::ElasticModel& model, Cascade cascade, double mean_budget, int64_t batch, TakeAnswer answer);
  void add(const Tensor& images);  // the next images
  Spent finish();                  // answers all of them
  double bytes() const { return bytes_; }

 private:
  struct Looked {  // a batch after a look
    Tensor images;
    models::Look look;
    std::vector<int64_t> numbers;
  };
  struct Place {  // of an image in a batch
    size_t batch = 0;
    int64_t row = 0;
    double measure = 0;
  };
  void keep(size_t stage, const Tensor& images, const models::Look& before, std::vector<int64_t> numbers);
  // Which places go on: `count` of them. Answers the others, and says in `spent` how they differ.
  std::vector<bool> choose(size_t stage, size_t count, Spent& spent) const;
  void look_again(size_t stage, const std::vector<bool>& chosen);
  void answer(size_t stage, const Place& place) const;
  models::ElasticModel& model_;
  Cascade cascade_;
  double budget_;
  int64_t batch_, next_ = 0;
  TakeAnswer answer_;
  std::vector<Looked> looked_;
  std::vector<Place> places_;  // of the images of looked_, in order
  double bytes_ = 0;
};

}  // namespace hv::train
