// Loader: batches addressed by position, the next one made in the background.
//
// at(epoch, index) is a function of (data set, configuration, epoch, index) alone: resuming anywhere needs two numbers.
//
// Invariants
//   1. The order of an epoch is a Fisher-Yates shuffle drawn from (seed, shuffle, epoch).
//   2. In the steady state nothing is allocated: two sets of tensors take turns.
//   3. The Batch returned by at() stays valid and unchanged until the next call of at().
//   4. An error of the worker (a damaged image, say) is thrown by the at() that asks for that batch.
// Thread rule: one thread calls at(). The one worker thread uses no other threads, unless the data set decodes its images on
// each call (Dataset::decodes): then it starts as many as compute. Each image has its own place, so the bits are the same. The
// data set must outlive the loader.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/tensor.h"
#include "data/augment.h"
#include "data/dataset.h"

namespace hv::data {

struct LoaderConfig {
  int64_t batch_size = 128;
  uint64_t seed = 0;
  AugmentConfig augment;  // default: nothing
  bool shuffle = true;
  bool drop_last = true;  // leave out the last, short batch of an epoch
  int64_t limit = 0;      // use that many samples only, chosen by `seed` (data/sample.h); 0: all
  bool wrap = true;       // after an epoch's last batch, prepare the first of the next
};
LoaderConfig evaluation_config(int64_t batch_size, int64_t limit = 0);  // in order, unchanged, every sample once, no wrap

struct Batch {
  Tensor images;                // [B, 3, H, W]
  Tensor targets;               // [B, K]: the rows of Dataset::target(), mixed by mixup and cutmix
  std::vector<int64_t> labels;  // of the images before mixing; -1: an image with several (Dataset::label)
  std::vector<int64_t> groups;  // Dataset::group of each image
  bool mixed = false;           // are the targets mixed?
  int64_t epoch = 0, index = 0;
  int64_t first_sample = 0;  // position of the first sample in the epoch's order
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

class Loader {
 public:
  Loader(const Dataset& dataset, const LoaderConfig& config);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t samples() const;  // an epoch draws from this many
  int64_t batches() const;  // an epoch has this many
  const Batch& at(int64_t epoch, int64_t index);
  double wait_seconds() const;  // time at() has spent waiting for the worker

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The order of an epoch: a permutation of 0 .. n-1.
void epoch_order(uint64_t seed, int64_t epoch, std::vector<int64_t>& order);

}  // namespace hv::data
