#include "train/slim/cut.h"

#include <algorithm>
#include <chrono>

#include "models/config_reader.h"

namespace hv::train {
namespace {

using models::SlimBudget;
using models::SlimPlan;

SlimPlan plan_of(const models::SlimSearch& search, const std::vector<double>& shares, const CutOptions& o, bool together) {
  models::SlimConfig uncut = search.uncut();
  if (o.mask_tokens) uncut.tokens_by = "masked";
  std::vector<SlimBudget> budgets;
  for (const double share : shares) {
    SlimBudget budget{share, share, o.tokens};
    if (!together) budget = {o.attention, o.mlp, o.tokens};
    budgets.push_back(budget);
  }
  const models::SlimSearchConfig c = models::slim_search_from_config(search.config());
  return plan_cut(uncut, c.heads, search.masks(), budgets, shares, o.round);
}

int64_t macs_of(const SlimPlan& plan) { return costs_of(plan.config).back().macs; }

// One image, by the model of these sizes with any weights: the least of some runs, after one that warms up.
double ms_of(const SlimPlan& plan) {
  models::Slim model(plan.config);
  model.eval();
  const NoGrad off;
  const models::VitConfig& c = plan.config;
  const Tensor image = Tensor::zeros({1, c.channels, c.image, c.image});
  double least = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    model.forward(image, model.subnets()[0]);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    if (i > 0) least = std::min(least, time.count());
  }
  return least;
}

constexpr double kLeastBudget = 0.01;

// The largest budget of attention and mlp together whose cut costs at most `most`.
template <class CostOf>
SlimPlan fit(const models::SlimSearch& search, const CutOptions& o, double most, const char* option, const char* unit,
             int rounds, const CostOf& cost_of) {
  SlimPlan best = plan_of(search, {kLeastBudget}, o, true);
  const double least = cost_of(best);
  HV_CHECK_USAGE(least <= most, option, ": no cut costs at most ", most, unit, "; at a budget of ", kLeastBudget, " it is ",
                 least, unit);
  SlimPlan whole = plan_of(search, {1}, o, true);
  if (cost_of(whole) <= most) return whole;
  double low = kLeastBudget, high = 1;
  for (int i = 0; i < rounds; ++i) {
    const double middle = (low + high) / 2;
    SlimPlan plan = plan_of(search, {middle}, o, true);
    const bool fits = cost_of(plan) <= most;
    (fits ? low : high) = middle;
    if (fits) best = std::move(plan);
  }
  return best;
}

double macs_wanted(const std::string& text, double whole) {
  size_t end = 0;
  double value = 0;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const bool share = end > 0 && text.substr(end) == "%";
  HV_CHECK_USAGE(end > 0 && (share || end == text.size()) && value > 0 && value < 1e18, "--macs: '", text,
                 "' is neither a number of MACs nor a share, as 60%");
  return share ? value / 100 * whole : value;
}

}  // namespace

SlimPlan choose_cut(const models::SlimSearch& search, const CutOptions& o) {
  const models::SlimMasks masks = search.masks();
  const int ways = (o.attention < 1 || o.mlp < 1) + !o.nested.empty() + !o.macs.empty() + (o.ms > 0);
  HV_CHECK_USAGE(ways <= 1,
                 "slim cut: --attention and --mlp, --nested, --macs and --ms are different ways to say how much stays; "
                 "give one");
  HV_CHECK_USAGE(o.tokens == 1 || !masks.tokens.empty(),
                 "--tokens: the search had no masks of tokens; search again with --masks "
                 "attention,mlp,tokens");
  if (!o.nested.empty()) {
    std::vector<double> shares;
    try {
      shares = models::real_list(o.nested, {"nested", "budgets", "0.5,0.7,1", 1e-4, 1});
    } catch (const Error&) {
      fail(Fault::usage, "--nested: '", o.nested, "' is no list of rising budgets in (0, 1], as 0.5,0.7,1");
    }
    return plan_of(search, shares, o, true);
  }
  if (!o.macs.empty()) {
    const auto whole = static_cast<double>(macs_of(plan_of(search, {1}, o, true)));
    return fit(search, o, macs_wanted(o.macs, whole), "--macs", " MACs", 30,
               [](const SlimPlan& plan) { return static_cast<double>(macs_of(plan)); });
  }
  if (o.ms > 0) return fit(search, o, o.ms, "--ms", " ms", 7, ms_of);
  HV_CHECK_USAGE(o.attention == 1 || !masks.heads.empty(), "--attention: the search had no masks of attention");
  HV_CHECK_USAGE(o.mlp == 1 || !masks.hidden.empty(), "--mlp: the search had no masks of hidden units");
  return plan_of(search, {1}, o, false);
}

}  // namespace hv::train
