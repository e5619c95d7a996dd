// Which labels occur together: P(column | row), how often a picture with the label of a row has that of a column.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <vector>

namespace hv::train {

// Of K labels, row-major [K, K]. NaN on the diagonal, which says nothing, and in rows without a positive picture.
struct Together {
  std::vector<double> seen;       // pictures with both / pictures with that of the row
  std::vector<double> predicted;  // sum of p_row p_column / sum of p_row: the same, if labels of a picture were drawn from p
};
Together together(const std::vector<std::vector<uint8_t>>& targets,        // [label][picture]
                  const std::vector<std::vector<double>>& probabilities);  // as well

}  // namespace hv::train
