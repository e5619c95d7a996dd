// Square matrices as SVG: of any shares, and of confusion, whose rows are the true classes and columns the predicted ones.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

struct Matrix {
  std::string title, alt, rows, columns;  // rows, columns: what they are
  int64_t size = 0;
  struct Cell {
    int64_t row = 0, column = 0;
    double share = 0;  // from 0, pale, to 1; one that is not finite is not drawn
    std::string text = {};
  };
  std::vector<Cell> cells;  // row by row; not all of them
};
// `names` of rows and columns; written, as the cells' texts are, if they are at most 20. "" if there are more than 100.
std::string svg(const Matrix& matrix, const std::vector<std::string>& names);

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
