// The Pareto front against its definition; subnetworks of several axes: groups, what the second axis buys, costs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "models/hydravit.h"
#include "train/subnets.h"
#include "train/views/chart.h"
#include "train/views/cost_table.h"

using namespace hv;
using namespace hv::train;

namespace {

using Indices = std::vector<size_t>;

bool finite(const Priced& p) { return std::isfinite(p.cost) && std::isfinite(p.worth); }

// By definition: every point against every other.
Indices slow_front(const std::vector<Priced>& points) {
  Indices members;
  for (size_t i = 0; i < points.size(); ++i) {
    const Priced& p = points[i];
    bool member = finite(p);
    for (size_t k = 0; k < points.size(); ++k) {
      const Priced& q = points[k];
      if (!finite(q)) continue;
      const bool equal = q.cost == p.cost && q.worth == p.worth;
      if (equal ? k < i : q.cost <= p.cost && q.worth >= p.worth) member = false;
    }
    if (member) members.push_back(i);
  }
  return members;
}

const ContestWords kWords = {"MACs", "MACs of one image", "top-1 accuracy in %", "%.1f %%", "%.1f points"};

std::vector<models::Cost> costs_of(const std::string& sizes, const std::string& keep, int64_t heads) {
  models::HydraViTConfig c;
  c.patch = 8;
  c.depth = 3;
  c.head_dim = 8;
  c.heads_min = 1;
  c.heads = heads;
  c.sizes = sizes;
  c.keep = keep;
  c.prune = "0,1";
  return models::costs(models::to_config(c));
}

std::vector<models::Subnet> subnets_of(const std::vector<models::Cost>& costs) {
  std::vector<models::Subnet> all;
  for (const models::Cost& cost : costs) all.push_back(cost.subnet);
  return all;
}

// Widths 1 and 2, sizes 16 and 32.
Contest contest_of(const std::vector<Priced>& priced) { return {"ours", subnets_of(costs_of("16,32", "", 2)), priced}; }

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("pareto: the front of a few points") {
  const double nan = std::nan(""), huge = std::numeric_limits<double>::infinity();
  CHECK(pareto_front({}).empty());
  CHECK(pareto_front({{1, nan}, {nan, 1}, {huge, 5}, {-huge, 5}}).empty());
  CHECK(pareto_front({{2, 50}}) == Indices{0});
  CHECK(pareto_front({{3, 70}, {1, 50}, {2, 60}}) == Indices{1, 2, 0});           // by cost, whatever their order
  CHECK(pareto_front({{1, 50}, {2, 50}, {3, 49}, {4, 51}}) == Indices{0, 3});     // dearer and no better
  CHECK(pareto_front({{1, 50}, {1, 60}, {1, 60}, {1, 55}}) == Indices{1});        // one cost; of equal ones the first
  CHECK(pareto_front({{1, 50}, {1, nan}, {2, huge}, {2, 55}}) == Indices{0, 3});  // what is not known hides nothing
}

TEST_CASE("pareto: the front agrees with its definition, also where points are equal") {
  for (uint64_t round = 0; round < 200; ++round) {
    Stream random(7, Purpose::width, round);
    std::vector<Priced> points(1 + random.below(30));
    for (Priced& p : points) p = {static_cast<double>(random.below(8)), static_cast<double>(random.below(8))};
    if (round % 3 == 0) points[0].worth = std::nan("");
    const Indices front = pareto_front(points);
    Indices sorted = front;
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == slow_front(points));
    for (size_t i = 1; i < front.size(); ++i) {
      CHECK(points[front[i]].cost > points[front[i - 1]].cost);
      CHECK(points[front[i]].worth > points[front[i - 1]].worth);
    }
  }
}

TEST_CASE("pareto: the best within a budget") {
  const std::vector<Priced> points = {{4, 70}, {1, 50}, {2, 65}, {3, 60}, {5, std::nan("")}, {2, 65}};
  CHECK(!best_within(points, 0.5));
  CHECK(best_within(points, 1) == 1);
  CHECK(best_within(points, 3.9) == 2);  // not the dearest that fits, and of two equal ones the first
  CHECK(best_within(points, 1e9) == 0);
  CHECK(!best_within(points, std::nan("")));
  CHECK(!best_within({}, 1));
}

TEST_CASE("pareto: subnetworks are grouped by their first axis, and a few stand for all") {
  const std::vector<models::Subnet> subnets = subnets_of(costs_of("16,32", "0.5,1", 12));
  const Views views = grouped_views(subnets);
  CHECK(views.several_axes());
  CHECK(views.groups == 12);
  for (size_t i = 0; i < subnets.size(); ++i) {
    CHECK(views.group[i] == i / 4);
    CHECK(views.full[i] == (i % 4 == 3));
  }
  CHECK(a_few(views) == Indices{3, 11, 15, 23, 27, 35, 39, 47});  // of twelve, with the first and the last
  CHECK(a_few(views, 100).size() == 12);
  CHECK(first_axis_text(subnets[0]) == "1 head");
  CHECK(other_axes_text(subnets[0]) == "px and keep");
  CHECK(chosen_axes_text(subnets[0]) == "heads/px/keep");

  const Views widths = grouped_views(subnets_of(costs_of("", "", 12)));
  CHECK(!widths.several_axes());
  CHECK(a_few(widths).size() == 12);  // one axis: all, as ever
  CHECK(!grouped_views({}).several_axes());
}

TEST_CASE("pareto: what the second axis buys, from the numbers") {
  // By width, then size. Alone: 1 head at 4 M, 2 heads at 9 M.
  Contest contest = contest_of({{1e6, 40}, {4e6, 50}, {3e6, 56.25}, {9e6, 60}});
  CHECK(largest_gain(contest)->budget == 4e6);
  CHECK(gain_title(contest, kWords) == "px buys 6.2 points at 4 M MACs: 56.2 % instead of 50.0 %");
  CHECK(gain_sentence(contest, kWords) ==
        "At 4 M MACs, the best of all 4 subnetworks has 56.2 % (2/16), the best of the 2 that differ in heads alone has 50.0 % "
        "(1/32); at no other cost of those is the difference larger.");
  CHECK(budget_table(contest, {}, kWords).size() == 9);
  CHECK(budget_table(contest, {}, kWords).back() == std::vector<std::string>{"9 M", "60.0 % (2/32)", "60.0 % (2/32)"});
  CHECK(budget_table(contest, {}, kWords)[1][2] == "-");  // nothing of one axis alone is so cheap

  const Contest rival{"wide", subnets_of(costs_of("", "", 2)), {{4e6, 58}, {9e6, 59}}};
  CHECK(rival_sentence(contest, rival, kWords) ==
        "Against wide, at the costs of its front: better at 1, worse at 1 of 2; at best 60.0 % against 59.0 % at 9 M MACs, at "
        "worst 56.2 % against 58.0 % at 4 M MACs.");

  CHECK(gain_sentence(rival, kWords) == "All of these differ in heads alone.");
  CHECK(rival_sentence(rival, {"none", rival.subnets, {{4e6, std::nan("")}, {1e6, 10}}}, kWords) ==
        "Against none: there is no cost of its front at which both are known.");

  contest.priced[2].worth = 45;
  CHECK(gain_title(contest, kWords) == "px buys nothing within the costs of heads alone");
  CHECK(gain_sentence(contest, kWords) ==
        "Within the cost of each of the 2 subnetworks that differ in heads alone, none of the 4 is better.");
  contest.priced[1].worth = contest.priced[3].worth = std::nan("");
  CHECK(!largest_gain(contest));
  CHECK(gain_title(contest, kWords).find("not known") != std::string::npos);
}

TEST_CASE("pareto: the chart names every member of the front, and only those") {
  const std::vector<models::Subnet> subnets = subnets_of(costs_of("16,24,32", "0.5,0.7,1", 6));
  Contest contest{"ours", subnets, {}};
  std::vector<size_t> members;
  for (size_t i = 0; i < subnets.size(); ++i) {
    const double cost = 1e6 * std::pow(1.08, static_cast<double>(i));
    if (i % 5 == 0) members.push_back(i);
    contest.priced.push_back({cost, static_cast<double>(i) + (i % 5 == 0 ? 10 : 0)});
  }
  REQUIRE(pareto_front(contest.priced) == members);
  const Chart chart = front_chart(contest, {}, kWords);
  const std::string drawing = svg(chart);
  for (size_t i = 0; i < subnets.size(); ++i) {
    const bool member = std::find(members.begin(), members.end(), i) != members.end();
    size_t labels = 0;
    for (const Series& series : chart.series) {
      for (const Point& point : series.points) labels += point.label == short_text(subnets[i]);
    }
    CHECK(labels == (member ? 1 : 0));
  }
  CHECK(count(drawing, "class=\"n\"") == members.size());  // there was space for all
  CHECK(count(drawing, "opacity=") == 6);                  // the others of each width
}

TEST_CASE("pareto: the table of costs shows tokens, and widths apart") {
  const std::vector<models::Cost> costs = costs_of("16,32", "0.5,1", 2);
  CHECK(costs[0].tokens == std::vector<int64_t>{5, 4, 3});  // of 5: ceil(2.5) others and CLS; of 4: ceil(2) and CLS
  CHECK(costs[1].tokens == std::vector<int64_t>{5});
  CHECK(costs[2].tokens == std::vector<int64_t>{17, 10, 6});
  const std::string table = cost_table(costs, {{"top1.heads=1,px=16,keep=0.5", 61.5}});
  CHECK(count(table, "17>10>6\n") == 2);
  CHECK(count(table, " 61.50  ") == 1);
  CHECK(count(table, "\n\n") == 1);
  const std::string plain = cost_table(costs_of("", "", 2));
  CHECK(count(plain, "tokens") == 0);
  CHECK(count(plain, "\n\n") == 0);
  CHECK(cost_table({}).empty());
}
