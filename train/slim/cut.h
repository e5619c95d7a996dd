// A cut of a searched model: its budgets.
// Thread rule: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/slim_search.h"

namespace hv::train {

struct CutOptions {
  double attention = 1, mlp = 1, tokens = 1;  // budgets
  std::string nested;                         // budgets of attention and mlp together, as 0.5,0.7
  std::string macs;                           // at most so many, or "60%" of the uncut model's
  double ms = 0;                              // at most so long for one image
  int64_t round = 1;
  bool mask_tokens = false;
};

// Options that contradict each other, or that no cut meets, are errors (Fault::usage) that say what is possible.
models::SlimPlan choose_cut(const models::SlimSearch& search, const CutOptions& options);

}  // namespace hv::train
