#include "models/slim_cut.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hv::models {
namespace {

// How many of `kept` stay, of `size`: the nearest multiple of `round`, but all if that is more than there are.
int64_t rounded(int64_t kept, int64_t size, int64_t round) { return std::min(size, (kept + round / 2) / round * round); }

// Which entries each budget has, as SlimPlan lists them, and how many. `thresholds`, falling, one per budget.
struct Ranked {
  std::vector<int64_t> order, counts;
};
Ranked ranked(const std::vector<double>& values, const std::vector<double>& thresholds, int64_t round) {
  std::vector<int64_t> best(values.size());  // best first; of equal ones the first
  std::iota(best.begin(), best.end(), 0);
  std::stable_sort(best.begin(), best.end(),
                   [&](int64_t a, int64_t b) { return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)]; });
  Ranked result;
  for (const double threshold : thresholds) {
    const auto kept = std::count_if(values.begin(), values.end(), [&](double v) { return v >= threshold; });
    const int64_t count = rounded(kept, std::ssize(values), round), before = std::ssize(result.order);
    result.order.insert(result.order.end(), best.begin() + before, best.begin() + count);
    std::sort(result.order.begin() + before, result.order.end());
    result.counts.push_back(count);
  }
  return result;
}

std::vector<double> thresholds_of(const std::vector<double>& values, const std::vector<SlimBudget>& budgets,
                                  double SlimBudget::*share) {
  std::vector<double> all;
  for (const SlimBudget& budget : budgets) all.push_back(slim_threshold(values, budget.*share));
  return all;
}

std::vector<int64_t> all_of(int64_t size) {
  std::vector<int64_t> all(static_cast<size_t>(size));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

std::vector<double> flat(const std::vector<std::vector<double>>& by_block) {
  std::vector<double> all;
  for (const std::vector<double>& block : by_block) all.insert(all.end(), block.begin(), block.end());
  return all;
}

std::vector<double> flat(const std::vector<std::vector<std::vector<double>>>& by_head) {
  std::vector<double> all;
  for (const std::vector<std::vector<double>>& block : by_head) {
    for (const std::vector<double>& head : block) all.insert(all.end(), head.begin(), head.end());
  }
  return all;
}

double slim_threshold(std::vector<double> values, double budget) {
  HV_CHECK(budget > 0 && budget <= 1, "slim: a budget of ", budget, " is not in (0, 1]");
  std::sort(values.begin(), values.end());
  return values.at(static_cast<size_t>((1. - budget) * static_cast<double>(values.size())));
}

SlimPlan plan_cut(const SlimConfig& uncut, int64_t heads, const SlimMasks& masks, const std::vector<SlimBudget>& budgets,
                  const std::vector<double>& names, int64_t round) {
  HV_CHECK(!budgets.empty() && names.size() == budgets.size() && round > 0, "slim: no budgets");
  const auto depth = static_cast<size_t>(uncut.depth), count = budgets.size();
  const int64_t hidden = uncut.mlp_ratio * uncut.width;
  SlimPlan plan{uncut, {}, {}, std::vector<SlimBudget>(count, {0, 0, 0})};
  std::vector<SlimSizes> sizes(count);

  // Others cannot be sorted.
  for (const std::vector<double>& family : {flat(masks.heads), flat(masks.hidden), flat(masks.tokens)}) {
    for (const double value : family)
      HV_CHECK_INPUT(std::isfinite(value), "slim: a mask is ", value, ", expected a finite number");
  }
  const bool cut_heads = !masks.heads.empty(), cut_hidden = !masks.hidden.empty();
  const std::vector<double> by_dim =
      cut_heads ? thresholds_of(flat(masks.heads), budgets, &SlimBudget::attention) : std::vector<double>{};
  const std::vector<double> by_unit =
      cut_hidden ? thresholds_of(flat(masks.hidden), budgets, &SlimBudget::mlp) : std::vector<double>{};
  for (size_t b = 0; b < count; ++b) {
    if (cut_heads) plan.thresholds[b].attention = by_dim[b];
    if (cut_hidden) plan.thresholds[b].mlp = by_unit[b];
  }
  for (size_t i = 0; i < depth; ++i) {
    plan.dims.emplace_back();
    for (SlimSizes& size : sizes) size.heads.emplace_back();
    for (int64_t h = 0; h < heads; ++h) {
      Ranked kept{all_of(uncut.head_dim), std::vector<int64_t>(count, uncut.head_dim)};
      if (cut_heads) kept = ranked(masks.heads.at(i).at(static_cast<size_t>(h)), by_dim, round);
      for (size_t b = 0; b < count; ++b) sizes[b].heads[i].push_back(kept.counts[b]);
      plan.dims[i].push_back(kept.order);
    }
    Ranked kept{all_of(hidden), std::vector<int64_t>(count, hidden)};
    if (cut_hidden) kept = ranked(masks.hidden.at(i), by_unit, round);
    for (size_t b = 0; b < count; ++b) sizes[b].hidden.push_back(kept.counts[b]);
    plan.units.push_back(kept.order);
  }
  plan.config.set(names, sizes);

  if (!masks.tokens.empty()) {
    const double threshold = slim_threshold(flat(masks.tokens), budgets[0].tokens);
    std::vector<int64_t> lives(static_cast<size_t>(uncut.patches()) + 1, 0);
    for (size_t t = 0; t < lives.size(); ++t) {
      for (size_t i = 0; i < depth; ++i) {
        if (masks.tokens.at(i).at(t) >= threshold) lives[t] = static_cast<int64_t>(i) + 1;  // and in all blocks before
      }
    }
    if (uncut.tokens_by == "removed") lives[0] = uncut.depth;
    plan.config.set_lives(lives);
    for (SlimBudget& each : plan.thresholds) each.tokens = threshold;
  }
  plan.config = slim_from_config(to_config(plan.config));  // checked
  return plan;
}

std::unique_ptr<Slim> cut(const SlimPlan& plan, const ElasticModel& uncut) {
  const NoGrad off;
  const nn::Undrawn all_are_copied;
  auto model = std::make_unique<Slim>(plan.config);
  const std::vector<SlimSizes> sizes = plan.config.sizes();
  const int64_t d = plan.config.head_dim;
  const auto copy = [&](const std::string& name, int dim, const std::vector<int64_t>& entries) {
    model->parameter(name).copy_(index_select(uncut.parameter(name), dim, entries));
  };
  for (size_t i = 0; i < plan.dims.size(); ++i) {
    // Packed as slim.h, invariant 3, out of (head, {q, k, v}, D).
    std::vector<int64_t> rows, columns;
    for (size_t b = 0; b < sizes.size(); ++b) {
      for (size_t h = 0; h < plan.dims[i].size(); ++h) {
        const int64_t from = b == 0 ? 0 : sizes[b - 1].heads[i][h], to = sizes[b].heads[i][h];
        const auto head = static_cast<int64_t>(h);
        for (int64_t which = 0; which < 3; ++which) {
          for (int64_t k = from; k < to; ++k) rows.push_back((head * 3 + which) * d + plan.dims[i][h][static_cast<size_t>(k)]);
        }
        for (int64_t k = from; k < to; ++k) columns.push_back(head * d + plan.dims[i][h][static_cast<size_t>(k)]);
      }
    }
    const std::string block = concat("blocks.", i, ".");
    copy(block + "attn.qkv.weight", 0, rows);
    copy(block + "attn.qkv.bias", 0, rows);
    copy(block + "attn.proj.weight", 1, columns);
    copy(block + "mlp.fc1.weight", 0, plan.units[i]);
    copy(block + "mlp.fc1.bias", 0, plan.units[i]);
    copy(block + "mlp.fc2.weight", 1, plan.units[i]);
    for (const char* same : {"attn.proj.bias", "mlp.fc2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"}) {
      model->parameter(block + same).copy_(uncut.parameter(block + same));
    }
  }
  for (const char* same : {"cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight",
                           "norm.bias", "head.weight", "head.bias"}) {
    model->parameter(same).copy_(uncut.parameter(same));
  }
  return model;
}

}  // namespace hv::models
