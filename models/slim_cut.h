// The cut of ViT-Slim: from learned masks to the sizes of layers, and to a model that has them (Chavan et al., CVPR 2022,
// section 3.3, and `compress` of the authors' code).
//
// Letters: L blocks, H heads of D dimensions, M hidden units, T tokens.
// Invariants
//   1. Each family (dimensions of heads, hidden units, tokens) is ranked over all blocks at once, by the signed value of its
//      masks: a strongly negative one goes, whatever its size. Of n values, sorted upwards, the one at int((1 - budget) n) is
//      the threshold, and what is not below it stays. So one search serves all budgets, and they are nested.
//   2. A token that stays in a block stays in all blocks before it; so more tokens stay than the budget says. The CLS token
//      stays, because the classifier reads it.
//   3. Weights are copied, not multiplied by the masks: the search ends with masks of 0 and 1, as in the authors' code.
// Thread rule: pure functions.
#pragma once

#include <memory>
#include <vector>

#include "models/slim.h"

namespace hv::models {

// The values of the masks. Tokens: behind tanh; empty if the search had no such masks, and so for the other families.
struct SlimMasks {
  std::vector<std::vector<std::vector<double>>> heads;  // [L][H][D]
  std::vector<std::vector<double>> hidden;              // [L][M]
  std::vector<std::vector<double>> tokens;              // [L][T]
};

// All values of a family, one after the other.
std::vector<double> flat(const std::vector<std::vector<double>>& by_block);
std::vector<double> flat(const std::vector<std::vector<std::vector<double>>>& by_head);

struct SlimBudget {
  double attention = 1, mlp = 1, tokens = 1;  // in (0, 1]
};

struct SlimPlan {
  SlimConfig config;
  // What stays of each head and of the hidden units, by the numbers that it has in the uncut model: first what the smallest
  // budget has, then what each larger one adds, rising within both.
  std::vector<std::vector<std::vector<int64_t>>> dims;  // [L][H][..]
  std::vector<std::vector<int64_t>> units;              // [L][..]
  std::vector<SlimBudget> thresholds;                   // by budget; 0: the family was not cut
};

// The value at int((1 - budget) n) of the sorted values.
double slim_threshold(std::vector<double> values, double budget);

// `uncut`: everything of the configuration but budgets, sizes and lives. Budgets rise in attention and mlp, and share one value
// of tokens; `names` are their names (SlimConfig::budgets). `round`: what stays of a head and of the units is rounded to a
// multiple of it, if there are as many. Masks that do not fit `uncut` are Fault::failure.
SlimPlan plan_cut(const SlimConfig& uncut, int64_t heads, const SlimMasks& masks, const std::vector<SlimBudget>& budgets,
                  const std::vector<double>& names, int64_t round = 1);

// The weights of the plan, out of those of the uncut model: a vision transformer of stacked heads with timm's names.
std::unique_ptr<Slim> cut(const SlimPlan& plan, const ElasticModel& uncut);

}  // namespace hv::models
