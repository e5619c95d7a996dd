// The Pareto front against its definition.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "train/pareto/front.h"

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
