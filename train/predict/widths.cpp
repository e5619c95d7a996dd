#include "train/predict/widths.h"

#include <algorithm>

#include "core/parallel.h"
#include "train/io/print.h"
#include "train/predict/budget.h"
#include "train/predict/latency_cache.h"
#include "train/predict/need.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

std::string macs_text(double macs) { return concat(static_cast<int64_t>(macs), " MACs"); }
std::string ms_text(double ms) { return concat(ms, " ms"); }

// Milliseconds of subnetworks, from the cache or measured now.
class Stopwatch {
 public:
  Stopwatch(const Loaded& loaded, bool again) : loaded_(loaded), cache_(loaded.model->config(), again) {}
  ~Stopwatch() {  // also if the budget is too small
    if (measured_ > 0) cache_.keep();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  double ms(const models::Subnet& subnet) {
    const std::optional<double> kept = cache_.find(subnet);
    if (!kept) fitting_batch(loaded_.path, loaded_.model->config(), {subnet}, 1);  // an error before it is timed
    const double ms = kept ? *kept : measure_ms(*loaded_.model, subnet);
    if (!kept) {
      cache_.add(subnet, ms);
      ++measured_;
    }
    times_.emplace_back(subnet.label, ms);
    return ms;
  }
  // "measured, one image at a time, 2 threads: heads=2 0.3 ms, heads=3 0.5 ms", of many the shortest and the longest.
  std::string text() const {
    constexpr size_t kMostListed = 10;
    std::string text = measured_ == times_.size() ? "measured"
                       : measured_ == 0           ? "from the cache"
                                        : concat(measured_, " of ", times_.size(), " measured, the others from the cache");
    text += concat(", one image at a time, ", num_threads(), num_threads() == 1 ? " thread: " : " threads: ");
    const auto one = [](const auto& time) { return concat(time.first, " ", ms_text(time.second)); };
    if (times_.size() > kMostListed) {
      const auto shorter = [](const auto& a, const auto& b) { return a.second < b.second; };
      const auto [least, most] = std::minmax_element(times_.begin(), times_.end(), shorter);
      return text + concat("from ", one(*least), " to ", one(*most));
    }
    for (size_t i = 0; i < times_.size(); ++i) text += (i > 0 ? ", " : "") + one(times_[i]);
    return text;
  }

 private:
  const Loaded& loaded_;
  LatencyCache cache_;
  std::vector<std::pair<std::string, double>> times_;  // label, ms
  size_t measured_ = 0;
};

// Of several axes. The sentence says why it is this one.
std::pair<models::Subnet, std::string> best_of(const std::string& option, double budget, const Loaded& loaded, bool ema,
                                               const std::vector<models::Subnet>& trained,
                                               const std::function<double(const models::Subnet&)>& cost,
                                               const std::function<std::string(double)>& print_cost) {
  std::vector<Offer> offers;
  for (const models::Subnet& one : trained) {
    offers.push_back({one, cost(one), loaded.model->macs(one), stored_accuracy(loaded.header, one, ema)});
  }
  const Chosen chosen = best_offer(option, budget, offers, print_cost);
  return {chosen.offer.subnet,
          concat(chosen.offer.subnet.label, ", ",
                 chosen.by_accuracy ? concat("the most accurate (", print("%.2f", *chosen.offer.accuracy), ")")
                                    : "that of the most MACs",
                 " of the ", chosen.fitting, " of ", offers.size(), " within the budget",
                 chosen.by_accuracy ? "" : ", not all of which were evaluated")};
}

}  // namespace

Fields WidthChoice::fields() {
  return {
      {kSubnetsOption, &subnets.heads, "widths, as 5, 3-8, 3,5,8 or all (it was trained for); default: the widest of these"},
      {kNamesOption, &subnets.names, kNamesHelp},
      {"budget-macs", &budget_macs,
       "the widest (of several axes: the most accurate) that takes at most so many multiply-adds an image, as 5e6 or 12M; of "
       "a cascade: the mean"},
      {"budget-ms", &budget_ms, "the same with milliseconds for an image, measured here once and kept in the cache folder"},
      {"measure-again", &measure_again, "measure for --budget-ms what the cache folder holds already", 0, 0, {}, true}};
}

void check_choice(const WidthChoice& choice, const std::set<std::string>& given) {
  std::string before;
  for (const char* option : {kSubnetsOption, kNamesOption, "budget-macs", "budget-ms"}) {
    if (!given.contains(option)) continue;
    const bool both = before == kSubnetsOption && option == std::string(kNamesOption);
    HV_CHECK_USAGE(before.empty() || both, "--", before, " and --", option, ": both choose the width; give one of the two");
    before = option;
  }
  if (given.contains("budget-macs")) parse_amount("--budget-macs", choice.budget_macs);
  if (given.contains("budget-ms")) parse_amount("--budget-ms", choice.budget_ms);
  HV_CHECK_USAGE(!given.contains("measure-again") || given.contains("budget-ms"),
                 "--measure-again: only --budget-ms measures; give it, too");
}

std::vector<models::Subnet> chosen_widths(const WidthChoice& choice, const Loaded& loaded, bool ema) {
  const std::vector<models::Subnet> trained = trained_subnets(*loaded.model, loaded.header);
  const bool one_axis = chosen_axes(trained.at(0)) < 2;  // then they are in the order of their costs
  if (!choice.subnets.heads.empty() || !choice.subnets.names.empty()) {
    return choose_trained(loaded.model->subnets(), loaded.header, choice.subnets);
  }
  if (!choice.budget_macs.empty()) {
    const std::string option = "--budget-macs";
    const double budget = parse_amount(option, choice.budget_macs);
    const auto cost = [&](const models::Subnet& one) { return static_cast<double>(loaded.model->macs(one)); };
    if (one_axis) return {widest_within(option, budget, trained, cost, macs_text)};
    const auto [chosen, why] = best_of(option, budget, loaded, ema, trained, cost, macs_text);
    say(concat(option, " ", choice.budget_macs, ": ", why));
    return {chosen};
  }
  if (!choice.budget_ms.empty()) {
    const std::string option = "--budget-ms";
    const double budget = parse_amount(option, choice.budget_ms);
    Stopwatch watch(loaded, choice.measure_again);
    std::pair<models::Subnet, std::string> chosen;
    const auto cost = [&](const models::Subnet& one) { return watch.ms(one); };
    if (one_axis) {
      chosen.first = widest_within(option, budget, trained, cost, ms_text);
      chosen.second = chosen.first.label;
    } else {
      chosen = best_of(option, budget, loaded, ema, trained, cost, ms_text);
    }
    say(concat(option, " ", choice.budget_ms, ": ", chosen.second, "; ", watch.text()));
    return {chosen.first};
  }
  return {trained.back()};
}

}  // namespace hv::train
