// Cascades: images that are not sure look again. Against a twin that runs every stage on every image, one at a time.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/storage.h"
#include "tests/cascade_fixtures.h"
#include "tests/golden.h"
#include "tests/trainer_fixtures.h"
#include "train/cascade/spend.h"
#include "train/cascade/sweep.h"

using namespace hv;
using namespace hv::train;
using namespace hv::cascade_fixtures;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

#ifdef HV_ASAN
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

struct Said {
  size_t stage = 0;
  std::vector<Real> logits;
  double measure = 0;
  bool operator==(const Said&) const = default;
};

// [image][stage]: every stage on every image, one image at a time.
std::vector<std::vector<Said>> every_stage(models::ElasticModel& model, Cascade cascade, const Tensor& images) {
  std::vector<std::vector<Said>> every;
  for (int64_t i = 0; i < images.size(0); ++i) {
    models::Look at;
    every.emplace_back();
    for (size_t s = 0; s < cascade.stages.size(); ++s) {
      at = model.look(images.slice(0, i, i + 1).contiguous(), cascade.stages[s], model.continues() ? at : models::Look());
      const Real* logits = at.logits.data();
      const int64_t classes = at.logits.size(1);
      every.back().push_back({s, {logits, logits + classes}, cascade.measure.of(logits, classes)});
    }
  }
  return every;
}

const Said& select(const std::vector<Said>& of_image, const Measure& measure, double threshold) {
  for (const Said& said : of_image) {
    if (measure.enough(said.measure, threshold)) return said;
  }
  return of_image.back();
}

// Runs with the pieces in turn as sizes of what is added.
std::vector<Said> regrouped(models::ElasticModel& model, const Cascade& cascade, double threshold, const Tensor& images,
                            int64_t batch, const std::vector<int64_t>& pieces) {
  const int64_t classes = model.classes();
  std::vector<Said> said(static_cast<size_t>(images.size(0)));
  CascadeRunner runner(model, cascade, threshold, batch, [&](const Answer& a) {
    Said& one = said.at(static_cast<size_t>(a.image));
    REQUIRE(one.logits.empty());  // answered once
    one = {a.stage, {a.logits, a.logits + classes}, a.measure};
  });
  size_t piece = 0;
  for (int64_t begin = 0; begin < images.size(0);) {
    const int64_t end = std::min(images.size(0), begin + pieces[piece++ % pieces.size()]);
    runner.add(images.slice(0, begin, end));
    begin = end;
  }
  runner.finish();
  return said;
}

double measure_of(Measure measure, const std::vector<double>& logits) {
  const std::vector<Real> row(logits.begin(), logits.end());
  return measure.of(row.data(), std::ssize(row));
}

const Measure kEntropy, kConfidence(Measure::Kind::confidence);

}  // namespace

TEST_CASE("cascade: the measures: by hand, with extreme logits, and the entropies of ThinkingViT's authors") {
  CHECK(measure_of(kEntropy, std::vector<double>(16, 3.0)) == doctest::Approx(std::log(10)));
  CHECK(measure_of(Measure(Measure::Kind::entropy, 0), std::vector<double>(16, 3.0)) == doctest::Approx(std::log(16)));
  CHECK(measure_of(kEntropy, {2, 2, 2}) == doctest::Approx(std::log(3)));  // fewer than ten classes
  CHECK(measure_of(kConfidence, std::vector<double>(16, 3.0)) == doctest::Approx(1.0 / 16));
  const double p = 1 / (1 + std::exp(-1.0)), q = 1 - p;
  CHECK(measure_of(kEntropy, {0, 1}) == doctest::Approx(-p * std::log(p) - q * std::log(q)));
  CHECK(measure_of(kConfidence, {0, 1}) == doctest::Approx(p));
  for (const std::vector<double>& sure : {std::vector<double>{1e4, -1e4, 0}, {-kInfinity, 5, -kInfinity}}) {
    CHECK(measure_of(kEntropy, sure) == doctest::Approx(0));
    CHECK(measure_of(kConfidence, sure) == 1);
  }
  const double nan = std::nan("");
  for (Measure measure : {kEntropy, kConfidence}) {
    CHECK(std::isnan(measure_of(measure, {0, nan, 1})));
    CHECK_FALSE(measure.enough(nan, 0));
    CHECK_FALSE(measure.enough(nan, kInfinity));
    CHECK(measure.surer(1, nan));
    CHECK_FALSE(measure.surer(nan, 1));
    CHECK_FALSE(measure.surer(nan, nan));
  }
  CHECK_FALSE(kEntropy.enough(0.5, 0.5));  // strictly below
  CHECK(kConfidence.enough(0.5, 0.5));     // at or above

  if (!test::have_golden("thinkingvit/forward")) return;
  const test::Golden golden("thinkingvit/forward");
  for (const auto& [name, stages] : {std::pair{std::string("two"), 2}, {std::string("three"), 3}}) {
    std::vector<std::vector<double>> entropies(4);  // by image
    for (int s = 0; s < stages; ++s) {
      const Tensor &logits = golden[concat(name, ".logits.stage", s)], &entropy = golden[concat(name, ".entropy.stage", s)];
      for (int64_t i = 0; i < 4; ++i) {
        entropies[static_cast<size_t>(i)].push_back(Measure().of(logits.data() + i * 16, 16));
        CHECK(entropies[static_cast<size_t>(i)].back() == doctest::Approx(static_cast<double>(entropy.at({i}))).epsilon(1e-5));
      }
    }
    for (int t = 0; t < 4; ++t) {
      const std::string at = concat(name, ".threshold", t);
      const double threshold = static_cast<double>(golden[at + ".value"].at({0}));
      for (size_t i = 0; i < 4; ++i) {
        size_t stage = 0;
        while (stage + 1 < entropies[i].size() && !kEntropy.enough(entropies[i][stage], threshold)) ++stage;
        CHECK(static_cast<int64_t>(stage) == golden.labels.at(at + ".stage_used")[i]);
      }
    }
  }
}

TEST_CASE("cascade: regrouped, every image gets the answer that it gets alone, and no look too many is taken") {
  const Tensor images = make_images(53);
  for (const bool goes_on : {false, true}) {
    for (const Measure& measure : {kEntropy, kConfidence}) {
      Looks model(goes_on);
      const Cascade cascade{looks, measure};
      const std::vector<std::vector<Said>> every = every_stage(model, cascade, images);
      // Two measures themselves: one image is exactly at the threshold, and so is its twin.
      for (const double threshold : {0.0, every[3][0].measure, every[20][1].measure, kInfinity}) {
        std::vector<Said> expected;
        int64_t looked[3] = {};
        for (const std::vector<Said>& of_image : every) {
          expected.push_back(select(of_image, measure, threshold));
          for (size_t s = 0; s <= expected.back().stage; ++s) ++looked[s];
        }
        CHECK((looked[2] == 53) == (threshold == (measure.entropy() ? 0 : kInfinity)));
        CHECK((looked[1] == 0) == (threshold == (measure.entropy() ? kInfinity : 0)));
        for (const int64_t batch : {1, 3, 7, 16, 64}) {
          CAPTURE(batch);
          for (const std::vector<int64_t>& pieces : {std::vector<int64_t>{batch}, {5, 1, 13}}) {
            for (std::vector<int64_t>& passes : model.passes) passes.clear();
            CHECK(regrouped(model, cascade, threshold, images, batch, pieces) == expected);
            for (size_t s = 0; s < 3; ++s) {
              int64_t sum = 0;
              for (const int64_t size : model.passes[s]) sum += size;
              CHECK(sum == looked[s]);
              for (size_t i = 0; s > 0 && i + 1 < model.passes[s].size(); ++i) CHECK(model.passes[s][i] == batch);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("cascade: HydraViT regrouped: the same stages and logits, the same bits with any number of threads, no new memory") {
  const trainer_fixtures::Threads one_thread;
  const auto model = models::make_model(trainer_fixtures::tiny_model(), 5);
  model->eval();
  const NoGrad off;
  Stream stream(4, Purpose::init);
  const Tensor images = Tensor::normal({40, 3, 32, 32}, 0, 1, stream);
  const Cascade cascade{{model->subnet(1), model->subnet(3)}, kEntropy};
  const std::vector<std::vector<Said>> every = every_stage(*model, cascade, images);
  std::vector<double> measures;
  for (const std::vector<Said>& of_image : every) measures.push_back(of_image[0].measure);
  std::sort(measures.begin(), measures.end());
  const double threshold = (measures[23] + measures[24]) / 2;
  const std::vector<Said> one = regrouped(*model, cascade, threshold, images, 7, {16});
  const int64_t chunks = memory_stats().chunks;
  CHECK(regrouped(*model, cascade, threshold, images, 7, {16}) == one);
  CHECK((!kPooled || memory_stats().chunks == chunks));
  set_num_threads(3);
  CHECK(regrouped(*model, cascade, threshold, images, 7, {16}) == one);
  for (size_t i = 0; i < every.size(); ++i) {
    const Said& alone = select(every[i], cascade.measure, threshold);
    CHECK(one[i].stage == alone.stage);
    for (size_t k = 0; k < alone.logits.size(); ++k) CHECK(one[i].logits[k] == doctest::Approx(alone.logits[k]).epsilon(1e-4));
  }
}

TEST_CASE("cascade: a mean budget lets the least sure go on, as many as it pays for, ties by order") {
  const Tensor images = make_images(53);
  for (const Measure& measure : {kEntropy, kConfidence}) {
    Looks model(false);
    const Cascade cascade{{looks[0], looks[2]}, measure};
    const std::vector<std::vector<Said>> every = every_stage(model, cascade, images);
    const double first = 1000, second = 9000;
    CHECK(macs_through(model, cascade) == std::vector<double>{first, first + second});
    for (const int64_t count : {0, 1, 20, 21, 22, 23, 24, 52, 53}) {
      CAPTURE(count);
      for (const double spare : {1e-3, 0.999 * second}) {  // of the sum: not enough for one more
        const double budget = first + (static_cast<double>(count) * second + spare) / 53;
        std::vector<Said> said(53);
        Spender spender(model, cascade, budget, 10, [&](const Answer& a) {
          said[static_cast<size_t>(a.image)] = {a.stage, {a.logits, a.logits + kClasses}, a.measure};
        });
        for (int64_t i = 0; i < 53; i += 10) spender.add(images.slice(0, i, std::min<int64_t>(53, i + 10)));
        const Spent spent = spender.finish();
        CHECK(spent.looked == std::vector<int64_t>{53, count});
        CHECK(spent.mean_macs <= budget * (1 + 1e-12));
        CHECK(spent.mean_macs == doctest::Approx(first + static_cast<double>(count) * second / 53));
        bool exact = true;
        for (size_t i = 0; i < 53; ++i) {
          int64_t before = 0;  // images that go on rather than this one
          for (size_t k = 0; k < 53; ++k) {
            const double mine = every[i][0].measure, other = every[k][0].measure;
            before += measure.surer(mine, other) || (mine == other && k < i);
            exact = exact && !(mine == other && said[i].stage != said[k].stage);
          }
          CHECK(said[i] == every[i][before < count ? 1 : 0]);
        }
        CHECK(spent.exact == exact);
        if (exact) CHECK(regrouped(model, cascade, spent.thresholds[0], images, 10, {10}) == said);
      }
    }
  }
  // With three stages: as many second looks as possible, then third ones.
  Looks model(true);
  const Cascade cascade{looks, kEntropy};
  CHECK(macs_through(model, cascade) == std::vector<double>{1000, 4000, 9000});
  const std::vector<std::vector<Said>> every = every_stage(model, cascade, images);
  for (const auto& [budget, second, third] : {std::tuple{2500.0, 26, 0}, {4000.0, 53, 0}, {4500.0, 53, 5}, {1e9, 53, 53}}) {
    size_t at[3] = {};
    Spender spender(model, cascade, budget, 7, [&](const Answer& a) {
      ++at[a.stage];
      const Said said{a.stage, {a.logits, a.logits + kClasses}, a.measure};
      CHECK(said == every[static_cast<size_t>(a.image)][a.stage]);
    });
    spender.add(images);
    CHECK(spender.finish().looked == std::vector<int64_t>{53, second, third});
    CHECK(at[2] == static_cast<size_t>(third));
    CHECK(at[1] == static_cast<size_t>(second - third));
  }
}

TEST_CASE("cascade: an evaluation at several thresholds counts what a plain count finds") {
  const trainer_fixtures::Threads one_thread;
  const auto model = models::make_model(trainer_fixtures::tiny_model(), 5);
  model->eval();
  const data::DatasetPtr test = data::make_shapes10(data::Split::test, 40);
  const Cascade cascade{{model->subnet(1), model->subnet(2), model->subnet(3)}, kEntropy};
  EvaluateOptions how;
  how.batch_size = 16;
  StageResults stages{std::vector<std::vector<float>>(3), {0.001, 0.002, 0.004}};
  how.seen = [&](size_t s, const Tensor& seen) {
    stages.logits[s].insert(stages.logits[s].end(), seen.data(), seen.data() + seen.numel());
  };
  const std::vector<train::Result> alone = evaluate(*model, cascade.stages, *test, how);
  const std::vector<double> spread = spread_thresholds(cascade, stages, 10);
  CHECK(spread.size() == 8);
  CHECK(std::is_sorted(spread.begin(), spread.end()));
  std::vector<double> thresholds = {0, 1000, spread[3]};
  const std::vector<CascadePoint> points = sweep(*model, cascade, thresholds, *test, how, stages);
  REQUIRE(points.size() == 3);
  CHECK(points[0].stopped == std::vector<double>{0, 0, 1});
  CHECK(points[1].stopped == std::vector<double>{1, 0, 0});
  for (const size_t m : {0, 1, 2}) {
    CHECK(points[0].metrics[m].value == doctest::Approx(alone[2].metrics[m].value));
    CHECK(points[1].metrics[m].value == doctest::Approx(alone[0].metrics[m].value));
  }
  CHECK(points[1].expected_stages == doctest::Approx(1000));
  CHECK(points[0].expected_stages == doctest::Approx(1000.0 / 7));
  CHECK(points[0].expected_macs == doctest::Approx(1000.0 / 7));
  CHECK(points[0].images_per_second > 0);
  double right = 0, macs = 0;
  Measure measure = cascade.measure;
  for (int64_t i = 0; i < 40; ++i) {
    double through = 0;
    for (size_t s = 0; s < 3; ++s) {
      const float* row = stages.logits[s].data() + i * 10;
      through += static_cast<double>(model->macs(cascade.stages[s]));
      if (s < 2 && !(measure.of(row, 10) < spread[3])) continue;
      right += std::max_element(row, row + 10) - row == test->label(i);
      macs += through;
      break;
    }
  }
  CHECK(points[2].metrics[0].value == doctest::Approx(100 * right / 40));
  CHECK(points[2].mean_macs == doctest::Approx(macs / 40));
  const std::string table = sweep_table(cascade, points);
  CHECK(table.find("cascade: heads=1, then heads=2, then heads=3; a width answers if the entropy of the 10 largest classes is "
                   "below the threshold\nthreshold   top-1   top-5     loss      mean MACs   heads=1   heads=2   heads=3") ==
        0);
}
