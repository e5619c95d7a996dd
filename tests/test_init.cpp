// Initial weights.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/ops.h"
#include "core/parallel.h"
#include "nn/init.h"
#include "tests/worse.h"

using namespace hv;
using namespace hv::nn;

TEST_CASE("init: normal, or uniform by fan-in; biases 0 or uniform") {
  Init normal("trunc_normal", 4), reference("reference", 4);
  const std::vector<double> w = normal.weight({300, 200}, 200).to_vector();
  double square = 0, most = 0;
  for (double v : w) {
    square += v * v;
    most = test::worse(most, std::abs(v));
  }
  CHECK(most < 0.12);  // of 60,000 draws, the largest is very likely between 3.5 and 6 standard deviations
  CHECK(most > 0.07);
  CHECK(std::sqrt(square / 60000) == doctest::Approx(0.02).epsilon(0.02));
  CHECK(sum(abs(normal.bias(200, 200))).item() == 0);

  for (const Tensor& t : {reference.weight({300, 200}, 400), reference.bias(60000, 400)}) {  // +-1/20
    const std::vector<double> v = t.to_vector();
    CHECK(*std::max_element(v.begin(), v.end()) <= 0.05);
    CHECK(*std::max_element(v.begin(), v.end()) > 0.0499);
    CHECK(*std::min_element(v.begin(), v.end()) < -0.0499);
  }
  CHECK_THROWS_WITH_AS(Init("zeros", 0), "init: unknown style 'zeros'; known: trunc_normal, reference", Error);
}

TEST_CASE("init: the same numbers for any number of threads; another seed, others") {
  const int before = num_threads();
  const auto draw = [](int threads, uint64_t seed) {
    set_num_threads(threads);
    return Init("trunc_normal", seed).weight({500, 100}, 100);
  };
  const Tensor one = draw(1, 2), three = draw(3, 2), other = draw(3, 3);
  set_num_threads(before);
  CHECK(one.to_vector() == three.to_vector());
  CHECK(one.to_vector() != other.to_vector());
  CHECK(one.slice(0, 0, 100).to_vector() != one.slice(0, 200, 300).to_vector());  // pieces do not repeat
}

TEST_CASE("init: where nothing is drawn, later parameters keep their numbers") {
  Init whole("trunc_normal", 4), part("trunc_normal", 4);
  whole.weight({30, 20}, 20);
  {
    const Undrawn first;
    CHECK(part.weight({30, 20}, 20).shape() == Shape{30, 20});
    const Undrawn nested;
  }
  const std::vector<double> second = part.weight({30, 20}, 20).to_vector();
  CHECK(second == whole.weight({30, 20}, 20).to_vector());
  CHECK(second != Init("trunc_normal", 4).weight({30, 20}, 20).to_vector());
}
