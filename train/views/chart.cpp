#include "train/views/chart.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "train/io/print.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

const Colour kNeutral = {"#57606a", "#c5ccd3"};

// Those of one axis alone keep their numbers, all others become unknown; so indices stay those of the subnetworks.
std::vector<Priced> one_axis(const Contest& contest) {
  const Views views = grouped_views(contest.subnets);
  std::vector<Priced> priced = contest.priced;
  for (size_t i = 0; i < priced.size(); ++i) {
    if (!views.full[i]) priced[i].worth = std::nan("");
  }
  return priced;
}

Series line(const std::string& name, const Colour& colour, std::vector<Point> points) {
  Series series;
  series.name = name;
  series.colour = colour;
  series.points = std::move(points);
  series.marker = -1;
  return series;
}

Point point(const Contest& contest, size_t i, bool named = false) {
  return {contest.priced[i].cost, contest.priced[i].worth, named ? short_text(contest.subnets[i]) : ""};
}

std::vector<Point> points(const Contest& contest, const std::vector<size_t>& which, bool named = false) {
  std::vector<Point> all;
  for (const size_t i : which) all.push_back(point(contest, i, named));
  return all;
}

std::string worth_text(const Contest& contest, size_t i, const ContestWords& words) {
  return print(words.format.c_str(), contest.priced[i].worth);
}

// With three digits; `up`: no less than it is.
double three_digits(double value, bool up = false) {
  if (!(value > 0) || !std::isfinite(value)) return value;
  const double unit = std::pow(10, std::floor(std::log10(value)) - 2);
  return unit * (up ? std::ceil(value / unit - 1e-9) : std::round(value / unit));
}

std::string at_cost(double cost, const ContestWords& words) {
  return concat(short_number(three_digits(cost)), " ", words.cost);
}

}  // namespace

std::optional<Gain> largest_gain(const Contest& contest) {
  const std::vector<Priced> alone = one_axis(contest);
  const auto distance = [&](const Gain& gain) { return contest.priced[gain.best].worth - contest.priced[gain.one].worth; };
  std::optional<Gain> largest;
  std::vector<double> budgets;
  for (const Priced& one : alone) {
    if (std::isfinite(one.worth) && std::isfinite(one.cost)) budgets.push_back(one.cost);
  }
  std::sort(budgets.begin(), budgets.end());
  for (const double budget : budgets) {
    const Gain gain{budget, *best_within(contest.priced, budget), *best_within(alone, budget)};
    if (!largest || distance(gain) > distance(*largest)) largest = gain;
  }
  return largest;
}

std::string gain_title(const Contest& contest, const ContestWords& words) {
  const std::optional<Gain> gain = largest_gain(contest);
  const std::string others = other_axes_text(contest.subnets.back()), first = first_axis_name(contest.subnets.back());
  if (others.empty()) return concat("The Pareto front of ", first);
  const std::string buys = others + (others.find(' ') == std::string::npos ? " buys " : " buy ");
  if (!gain) return concat("What ", buys, "is not known: no subnetwork of ", first, " alone was measured");
  const double distance = contest.priced[gain->best].worth - contest.priced[gain->one].worth;
  if (!(distance > 0)) return concat(buys, "nothing within the costs of ", first, " alone");
  return concat(buys, print(words.distance.c_str(), distance), " at ", at_cost(gain->budget, words), ": ",
                worth_text(contest, gain->best, words), " instead of ", worth_text(contest, gain->one, words));
}

std::string gain_sentence(const Contest& contest, const ContestWords& words) {
  const std::optional<Gain> gain = largest_gain(contest);
  const std::string first = first_axis_name(contest.subnets.back());
  if (!gain) return concat("No subnetwork that differs in ", first, " alone was measured.");
  const Views views = grouped_views(contest.subnets);
  if (!views.several_axes()) return concat("All of these differ in ", first, " alone.");
  const auto named = [&](size_t i) { return concat(worth_text(contest, i, words), " (", short_text(contest.subnets[i]), ")"); };
  if (gain->best == gain->one) {
    return concat("Within the cost of each of the ", std::count(views.full.begin(), views.full.end(), true),
                  " subnetworks that differ in ", first, " alone, none of the ", contest.subnets.size(), " is better.");
  }
  return concat("At ", at_cost(gain->budget, words), ", the best of all ", contest.subnets.size(), " subnetworks has ",
                named(gain->best), ", the best of the ", std::count(views.full.begin(), views.full.end(), true),
                " that differ in ", first, " alone has ", named(gain->one),
                "; at no other cost of those is the difference larger.");
}

std::string rival_sentence(const Contest& contest, const Contest& rival, const ContestWords& words) {
  struct Lead {
    double budget, distance;
    std::string text;
  };
  std::vector<Lead> leads;
  for (const size_t i : pareto_front(rival.priced)) {
    const double budget = rival.priced[i].cost;
    const std::optional<size_t> own = best_within(contest.priced, budget);
    if (!own) continue;
    leads.push_back(
        {budget, contest.priced[*own].worth - rival.priced[i].worth,
         concat(worth_text(contest, *own, words), " against ", worth_text(rival, i, words), " at ", at_cost(budget, words))});
  }
  if (leads.empty()) return concat("Against ", rival.name, ": there is no cost of its front at which both are known.");
  const auto less = [](const Lead& a, const Lead& b) { return a.distance < b.distance; };
  const Lead &worst = *std::min_element(leads.begin(), leads.end(), less),
             &best = *std::max_element(leads.begin(), leads.end(), less);
  const auto ahead = std::count_if(leads.begin(), leads.end(), [](const Lead& lead) { return lead.distance > 0; });
  const auto behind = std::count_if(leads.begin(), leads.end(), [](const Lead& lead) { return lead.distance < 0; });
  return concat("Against ", rival.name, ", at the costs of its front: better at ", ahead, ", worse at ", behind, " of ",
                leads.size(), "; at best ", best.text, ", at worst ", worst.text, ".");
}

Chart front_chart(const Contest& contest, const std::vector<Contest>& rivals, const ContestWords& words) {
  Chart chart{gain_title(contest, words), "", {words.axis, true}, {words.worth}, {}};
  chart.width = 560;
  chart.height = 290;
  const Views views = grouped_views(contest.subnets);
  const std::vector<size_t> front = pareto_front(contest.priced);
  const auto on_front = [&](size_t i) { return std::find(front.begin(), front.end(), i) != front.end(); };
  std::vector<Series> groups;
  for (size_t g = 0; g < views.groups; ++g) {
    std::vector<size_t> members, dominated;
    for (size_t i = 0; i < views.group.size(); ++i) {
      if (views.group[i] == g) (on_front(i) ? members : dominated).push_back(i);
    }
    const size_t any = members.empty() ? dominated.at(0) : members[0];
    Series points_of = line(first_axis_text(contest.subnets[any]),
                            ramp_colour(static_cast<int64_t>(g), static_cast<int64_t>(views.groups)), points(contest, members));
    points_of.marker = static_cast<int64_t>(g);
    points_of.line = false;
    groups.push_back(points_of);
    points_of.name.clear();
    points_of.points = points(contest, dominated);
    points_of.faint = true;
    chart.series.push_back(std::move(points_of));
  }
  if (views.several_axes()) {
    Series alone =
        line(first_axis_name(contest.subnets.back()) + " alone", kNeutral, points(contest, pareto_front(one_axis(contest))));
    alone.dashed = true;
    chart.series.push_back(std::move(alone));
  }
  for (size_t r = 0; r < rivals.size(); ++r) {
    Series other =
        line(rivals[r].name, group_colour(static_cast<int64_t>(r) + 1), points(rivals[r], pareto_front(rivals[r].priced)));
    other.marker = static_cast<int64_t>(r);
    other.hollow = true;
    chart.series.push_back(std::move(other));
  }
  chart.series.push_back(line("the front", kNeutral, points(contest, front, true)));
  chart.series.insert(chart.series.end(), groups.begin(), groups.end());
  for (const size_t i : front) {
    chart.alt +=
        concat(chart.alt.empty() ? "the front: " : ", ", subnet_text(contest.subnets[i]), " ", worth_text(contest, i, words));
  }
  return chart;
}

std::vector<std::vector<std::string>> budget_table(const Contest& contest, const std::vector<Contest>& rivals,
                                                   const ContestWords& words) {
  std::vector<std::vector<std::string>> rows = {{words.cost + ", at most", "best of all"}};
  const bool several = grouped_views(contest.subnets).several_axes();
  if (several) rows[0].push_back(first_axis_name(contest.subnets.back()) + " alone");
  for (const Contest& rival : rivals) rows[0].push_back(rival.name);
  const std::vector<size_t> front = pareto_front(contest.priced);
  double low = front.empty() ? 0 : contest.priced[front[0]].cost, high = low;
  for (const Priced& one : contest.priced) {
    if (std::isfinite(one.worth) && std::isfinite(one.cost)) high = std::max(high, one.cost);
  }
  constexpr int kBudgets = 8;
  for (int k = 1; k <= kBudgets && high > low && low > 0; ++k) {
    const double budget = three_digits(low * std::pow(high / low, static_cast<double>(k) / kBudgets), true);
    const auto best = [&](const Contest& from, const std::vector<Priced>& priced) {
      const std::optional<size_t> i = best_within(priced, budget);
      return i ? concat(worth_text(from, *i, words), " (", short_text(from.subnets[*i]), ")") : std::string("-");
    };
    rows.push_back({short_number(budget), best(contest, contest.priced)});
    if (several) rows.back().push_back(best(contest, one_axis(contest)));
    for (const Contest& rival : rivals) rows.back().push_back(best(rival, rival.priced));
  }
  return rows;
}

}  // namespace hv::train
