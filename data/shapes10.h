// shapes10: ten drawn classes on cluttered backgrounds, 32 x 32 in colour, made from a seed. For use without a download.
//
// Colour, size, place and (within limits) rotation are random, so only the outline shows the class. The images are CIFAR-10
// records, read by the same reader: 20,000 for training and 2,000 for testing.
// Thread rule: any thread; uses all cores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace hv::data {

inline constexpr int64_t kShapesTrain = 20000, kShapesTest = 2000;
inline constexpr uint64_t kShapesSeed = 10;  // part of the set's definition: another seed is another data set

const std::vector<std::string>& shapes10_classes();
// The bytes of record `index` (3073 of them), a function of its arguments alone.
void draw_shape_record(uint64_t seed, Split split, int64_t index, uint8_t* record);
DatasetPtr make_shapes10(Split split, int64_t count = 0, uint64_t seed = kShapesSeed);  // count 0: the usual number

}  // namespace hv::data
