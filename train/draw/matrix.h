// A confusion matrix as SVG: its rows are the true classes, its columns the predicted classes.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

struct Confusion {
  struct Pair {
    int64_t label = 0, predicted = 0, count = 0;
  };
  int64_t classes = 0;
  std::vector<Pair> cells;  // of the matrix [label][predicted], row by row; without the zeros, so at most one per image
  std::vector<Pair> pairs;  // the pairs of classes that are confused most often, in descending order
};
// "" if there are more than 100 classes.
std::string svg(const Confusion& confusion, const std::vector<std::string>& names, const std::string& title);

}  // namespace hv::train
