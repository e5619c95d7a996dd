// A cascade: subnetworks that look at an image one after another, until one is sure enough. The last one always answers.
//
// Invariants
//   1. Stages are narrowest first, at least two. Of a model that continues (models/elastic.h) they are all its subnetworks.
//   2. An image goes on from stage to stage together with its row of the look before, if the model continues.
//   3. An image's logits may differ in the last digits with the batch it is in: products are cut by the size of the batch, and
//      their library takes the last rows of a block in another way.
// Thread rule: one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/elastic.h"
#include "train/cascade/measure.h"

namespace hv::train {

struct Cascade {
  std::vector<models::Subnet> stages;
  Measure measure;
};

// By stage: the multiply-adds of an image that this stage answers, which are those of all its looks.
std::vector<double> macs_through(const models::ElasticModel& model, const Cascade& cascade);

// Images that wait for their next look: rows in memory that is taken once.
class Waiting {
 public:
  explicit Waiting(int64_t capacity) : capacity_(capacity) { numbers_.reserve(static_cast<size_t>(capacity)); }
  void add(const Tensor& images, const models::Look& look, int64_t row, int64_t number);  // all of them contiguous
  bool full() const { return size() == capacity_; }
  int64_t size() const { return static_cast<int64_t>(numbers_.size()); }
  const std::vector<int64_t>& numbers() const { return numbers_; }
  Tensor images() const { return images_.slice(0, 0, size()); }
  models::Look look() const;
  void clear() { numbers_.clear(); }

 private:
  int64_t capacity_;
  Tensor images_;
  models::Look look_;
  std::vector<int64_t> numbers_;
};

// One look of a stage at some images: contiguous. Nothing is recorded for backward.
models::Look look_at(models::ElasticModel& model, const models::Subnet& stage, const Tensor& images,
                     const models::Look& before);

struct Answer {
  int64_t image = 0;  // its number, in the order in which images were added
  size_t stage = 0;
  const Real* logits = nullptr;  // valid during the call
  double measure = 0;            // of these logits
};
using TakeAnswer = std::function<void(const Answer&)>;

// Runs a cascade with one threshold. Images that are not sure are collected until they fill a batch, so every stage runs on
// full batches, and answers come in another order than the images. Batches depend on the images alone, not on the threads.
// After the first ones, no memory is taken from the system.
class CascadeRunner {
 public:
  // The model is in evaluation mode and outlives the runner. `batch`: images in a pass of the second and later stages.
  CascadeRunner(models::ElasticModel& model, Cascade cascade, double threshold, int64_t batch, TakeAnswer answer);
  void add(const Tensor& images);  // [B, C, H, W]: the next B images
  void finish();                   // answers those that still wait

 private:
  void look(size_t stage, const Tensor& images, const models::Look& before, const std::vector<int64_t>& numbers);
  void look_again(size_t stage);  // of those that wait for it
  models::ElasticModel& model_;
  Cascade cascade_;
  double threshold_;
  TakeAnswer answer_;
  std::vector<Waiting> waiting_;  // [stage - 1]: for the second and later stages
  std::vector<int64_t> fresh_;    // numbers of the images that were just added
  int64_t next_ = 0;
};

}  // namespace hv::train
