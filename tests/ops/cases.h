// The table of operations, one row each, in five files. A new operation needs one row and is then tested in every layout.
#pragma once

#include "tests/ops/twins.h"

namespace hv::test {

std::vector<OpRow> elementwise_rows();  // cases_elementwise.cpp
std::vector<OpRow> view_rows();         // cases_moving.cpp
std::vector<OpRow> moving_rows();
std::vector<OpRow> token_rows();     // cases_tokens.cpp: gathered tokens, resized images
std::vector<OpRow> product_rows();   // cases_products.cpp
std::vector<OpRow> training_rows();  // cases_training.cpp: convolution, noise, losses

inline std::vector<OpRow> all_rows() {
  std::vector<OpRow> all;
  for (const auto& rows : {elementwise_rows(), view_rows(), moving_rows(), token_rows(), product_rows(), training_rows()}) {
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace hv::test
