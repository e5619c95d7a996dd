// Classes are known by their names: that two sets have ten classes each does not make them the same ten.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace hv::data {

enum class ClassMatch {
  same,
  reordered,  // the same names in another order
  unknown,    // one of the two has no names, only numbers ("0", "1", ...), as where nothing says what classes are called
  other
};
ClassMatch match_classes(const std::vector<std::string>& a, const std::vector<std::string>& b);

// The number in `to` of each class of `from`, for names that are the same or reordered.
std::vector<int64_t> class_map(const std::vector<std::string>& from, const std::vector<std::string>& to);

// The set with its classes in the order of `names`, which are its own in another order. Labels and targets follow.
DatasetPtr reorder_classes(DatasetPtr set, const std::vector<std::string>& names);

// For messages: the first names of the one that the other has not, "cat, dog", "cat, dog, ...".
std::string names_missing(const std::vector<std::string>& one, const std::vector<std::string>& other);

}  // namespace hv::data
