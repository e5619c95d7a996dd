// How often labels occur, alone and together, in the splits of a data set. Counted from the targets, so of any kind of data.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "data/dataset.h"
#include "data/open.h"

namespace hv::data {

struct LabelCounts {
  int64_t images = 0;
  int64_t none = 0;                // images without any label
  int64_t groups = 0;              // patients, say (Dataset::group); 0: the set has none
  bool several = false;            // whether an image may have several labels
  std::vector<int64_t> positives;  // [class]: images with that label
  std::vector<int64_t> together;   // [class * classes + class]: images with both; on the diagonal `positives`.
                                   // Empty if no image has several labels.
};

class LabelCounter {
 public:
  LabelCounter(int64_t classes, bool several);
  void add(const std::vector<int64_t>& labels, int64_t group);  // of the next image
  LabelCounts counts() const;

 private:
  LabelCounts counts_;
  std::set<int64_t> groups_;
};
LabelCounts count_labels(const Dataset& dataset);

struct SplitCounts {
  Split split = Split::train;
  LabelCounts counts;
};
// Of every split that the source has; no picture is decoded.
std::vector<SplitCounts> count_splits(Source source);

}  // namespace hv::data
