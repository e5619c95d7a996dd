// Which images a limit leaves. The images of a folder are sorted by class, so the first n of them are no sample.
//
// Invariants
//   1. Of a set in mixed order (Dataset::mixed_order) they are the first n: runs on CIFAR files always used these.
//   2. Of any other set they are spread over the classes: each class has its share, rounded; which images is drawn from
//      (seed, sample). The sample of a smaller limit is part of the sample of a larger one.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace hv::data {

// All images, in an order of which every beginning is such a sample.
std::vector<int64_t> spread_order(const Dataset& dataset, uint64_t seed);
// `limit` images, by rising number; 0, or more than there are: all.
std::vector<int64_t> sample(const Dataset& dataset, int64_t limit, uint64_t seed);

}  // namespace hv::data
