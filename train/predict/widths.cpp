#include "train/predict/widths.h"

#include "core/parallel.h"
#include "train/io/print.h"
#include "train/predict/budget.h"
#include "train/predict/need.h"
#include "train/subnets.h"

namespace hv::train {

Fields WidthChoice::fields() {
  return {
      {kSubnetsOption, &subnets.heads, "widths, as 5, 3-8, 3,5,8 or all (it was trained for); default: the widest of these"},
      {kNamesOption, &subnets.names, kNamesHelp},
      {"budget-macs", &budget_macs,
       "the widest that takes at most so many multiply-adds an image, as 5e6 or 12M; of a cascade: the mean"},
      {"budget-ms", &budget_ms, "the widest that takes at most so many milliseconds for an image, measured here first"}};
}

void check_choice(const WidthChoice& choice, const std::set<std::string>& given) {
  std::string before;
  for (const char* option : {kSubnetsOption, "budget-macs", "budget-ms"}) {
    if (!given.contains(option)) continue;
    HV_CHECK_USAGE(before.empty(), "--", before, " and --", option, ": both choose the width; give one of the two");
    before = option;
  }
  if (given.contains("budget-macs")) parse_amount("--budget-macs", choice.budget_macs);
  if (given.contains("budget-ms")) parse_amount("--budget-ms", choice.budget_ms);
}

std::vector<models::Subnet> chosen_widths(const WidthChoice& choice, const Loaded& loaded) {
  const std::vector<models::Subnet> trained = trained_subnets(*loaded.model, loaded.header);  // narrowest first
  if (!choice.subnets.heads.empty() || !choice.subnets.names.empty())
    return choose_trained(loaded.model->subnets(), loaded.header, choice.subnets);
  if (!choice.budget_macs.empty()) {
    return {widest_within(
        "--budget-macs", parse_amount("--budget-macs", choice.budget_macs), trained,
        [&](const models::Subnet& width) { return static_cast<double>(loaded.model->macs(width)); },
        [](double macs) { return concat(static_cast<int64_t>(macs), " MACs"); })};
  }
  if (!choice.budget_ms.empty()) {
    std::string measured;
    const models::Config config = loaded.model->config();
    const models::Subnet chosen = widest_within(
        "--budget-ms", parse_amount("--budget-ms", choice.budget_ms), trained,
        [&](const models::Subnet& width) {
          fitting_batch(loaded.path, config, {width}, 1);  // an error before it is timed
          const double ms = measure_ms(*loaded.model, width);
          measured += concat(measured.empty() ? "" : ", ", width.label, " ", ms, " ms");
          return ms;
        },
        [](double ms) { return concat(ms, " ms"); });
    say(concat("--budget-ms ", choice.budget_ms, ": ", chosen.label, "; measured, one image at a time, ", num_threads(),
               num_threads() == 1 ? " thread: " : " threads: ", measured));
    return {chosen};
  }
  return {trained.back()};
}

}  // namespace hv::train
