// The range test of the learning rate: its ramp, its two suggestions, and how it ends.
#include <doctest/doctest.h>

#include <cmath>

#include "data/shapes10.h"
#include "error_of.h"
#include "models/kinds.h"
#include "train/start/lr_find.h"
#include "train/start/setup.h"

using namespace hv;
using namespace hv::train;
using hv::test::error_of;

namespace {

// A curve with these smoothed losses, lr 1, 10, 100, ...
LrCurve curve_of(const std::vector<double>& losses) {
  LrCurve curve;
  for (size_t i = 0; i < losses.size(); ++i)
    curve.points.push_back({std::pow(10.0, static_cast<double>(i)), losses[i], losses[i]});
  return curve;
}

}  // namespace

TEST_CASE("lr-find: the steepest fall and the middle of the longest falling subsequence, without first tenth and last five") {
  // index          0  1  2  3     4  5    6  7    8    9    10   11 | left out
  const auto curve = curve_of({9, 8, 7, 7.5, 6, 6.5, 3, 2.9, 2.8, 2.7, 2.6, 5, 1, 0.5, 0.2, 0.1, 0.0});
  const LrSuggestions found = suggest_lr(curve);
  CHECK(found.steepest == doctest::Approx(1e6));  // loss(7) - loss(5) = -3.6
  // Falling: 8 7.5 6.5 3 2.9 ... is no longer than 8 7 6 3 2.9 2.8 2.7 2.6 (indices 1 2 4 6 7 8 9 10): its middle is index 6.
  CHECK(found.valley == doctest::Approx(1e6));
}

TEST_CASE("lr-find: curves that say nothing are errors") {
  CHECK(error_of([] {
          suggest_lr(curve_of({3, 2, 1, 3, 2, 1, 0, 0}));
        }) == "lr-find: 8 losses are too few to choose by; ask for more --steps or a lower --low");
  std::vector<double> rising;
  for (int i = 0; i < 30; ++i) rising.push_back(i);
  CHECK(error_of([&] { suggest_lr(curve_of(rising)); }).starts_with("lr-find: the loss never fell between 1000 and "));
}

TEST_CASE("lr-find: an exponential ramp of real steps, the same for the same seed, that ends where the loss explodes") {
  TrainOptions o;
  o.steps = 60;
  o.batch_size = 16;
  o.ema = 0;
  const auto images = data::make_shapes10(data::Split::train, 256);
  const auto ramp = [&](double high) {
    const auto model = models::make_model(models::named_model("mlp", 10), 3);
    Stepper stepper(*model, *images, o, make_recipe(o, *model, model->subnets()));
    return lr_ramp(stepper, 1e-5, high, o.steps);
  };
  const LrCurve calm = ramp(1e-2), again = ramp(1e-2), wild = ramp(1e4);
  REQUIRE(calm.points.size() == 60);
  CHECK(calm.stopped.empty());
  double average = 0;
  for (size_t i = 0; i < 60; ++i) {
    CHECK(calm.points[i].lr == doctest::Approx(1e-5 * std::pow(1e3, static_cast<double>(i) / 59)));
    CHECK(calm.points[i].loss == again.points[i].loss);
    average = 0.9 * average + 0.1 * calm.points[i].loss;
    CHECK(calm.points[i].smooth == doctest::Approx(average / (1 - std::pow(0.9, static_cast<double>(i + 1)))));
  }
  const LrSuggestions found = suggest_lr(calm);
  for (const double lr : {found.steepest, found.valley}) CHECK((lr > 1e-5 && lr < 1e-2));
  CHECK(wild.points.size() < 60);
  CHECK(wild.stopped != "");
}
