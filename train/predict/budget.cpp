#include "train/predict/budget.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

#include "core/autograd.h"
#include "core/check.h"
#include "train/pareto/front.h"
#include "train/scores/stored_thresholds.h"

namespace hv::train {

models::Subnet widest_within(const std::string& option, double budget, const std::vector<models::Subnet>& narrowest_first,
                             const std::function<double(const models::Subnet&)>& cost,
                             const std::function<std::string(double)>& print) {
  const models::Subnet* chosen = nullptr;
  for (const models::Subnet& subnet : narrowest_first) {
    const double own = cost(subnet);
    if (own > budget) {
      HV_CHECK_USAGE(chosen, option, ": ", print(budget), " is not enough for the narrowest, ", subnet.label, ", which takes ",
                     print(own), " an image; give at least that");
      break;
    }
    chosen = &subnet;
  }
  HV_CHECK(chosen, option, ": no widths to choose from");
  return *chosen;
}

Chosen best_offer(const std::string& option, double budget, const std::vector<Offer>& offers,
                  const std::function<std::string(double)>& print) {
  const auto costs_less = [](const Offer& a, const Offer& b) { return a.cost < b.cost; };
  const auto cheapest = std::min_element(offers.begin(), offers.end(), costs_less);
  HV_CHECK(cheapest != offers.end(), option, ": no subnetworks to choose from");
  HV_CHECK_USAGE(cheapest->cost <= budget, option, ": ", print(budget), " is not enough for the cheapest, ",
                 cheapest->subnet.label, ", which takes ", print(cheapest->cost), " an image; give at least that");
  std::vector<Offer> fitting;
  std::copy_if(offers.begin(), offers.end(), std::back_inserter(fitting), [&](const Offer& o) { return o.cost <= budget; });
  const bool known = std::all_of(fitting.begin(), fitting.end(), [](const Offer& o) { return o.accuracy.has_value(); });
  std::vector<Priced> points;
  for (const Offer& o : fitting) points.push_back({o.cost, known ? *o.accuracy : static_cast<double>(o.macs)});
  return {fitting.at(best_within(points, budget).value()), fitting.size(), known};
}

std::optional<double> stored_accuracy(const Header& header, const models::Subnet& subnet, bool ema) {
  for (const auto& [name, value] : header.metrics) {  // "top1.heads=5", "ema_top1.heads=5": the one metric that is stored
    const size_t dot = name.find('.');
    if (dot == std::string::npos || name.substr(dot + 1) != subnet.label || name.starts_with("ema_") != ema) continue;
    if (is_threshold(name)) continue;
    if (std::isfinite(value)) return value;
  }
  return {};
}

double measure_ms(models::ElasticModel& model, const models::Subnet& subnet) {
  using Clock = std::chrono::steady_clock;
  const auto ms_since = [](Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  };
  const NoGrad off;
  const Tensor image = Tensor::zeros({1, 3, model.image_size(), model.image_size()});
  for (int i = 0; i < 3; ++i) model.forward(image, subnet);
  std::vector<double> runs;
  const auto start = Clock::now();
  while (runs.size() < 3 || (runs.size() < 15 && ms_since(start) < 1000)) {
    const auto begin = Clock::now();
    model.forward(image, subnet);
    runs.push_back(ms_since(begin));
  }
  const auto middle = runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
  std::nth_element(runs.begin(), middle, runs.end());
  return *middle;
}

}  // namespace hv::train
