// Cascades: images that are not sure look again. Against a twin that runs every stage on every image, one at a time.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/storage.h"
#include "tests/golden.h"
#include "tests/predict_fixtures.h"
#include "tests/program.h"
#include "tests/trainer_fixtures.h"
#include "train/cascade/options.h"
#include "train/cascade/spend.h"
#include "train/cascade/sweep.h"
#include "train/cascade/twice.h"

using namespace hv;
using namespace hv::train;
using fixtures::error_of;
using ParsedJson = nlohmann::json;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kClasses = 12, kPixels = 12;

#ifdef HV_ASAN
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

const std::vector<models::Subnet> looks = {{"looks1", "looks=1", 0, {{"looks", 1}}},
                                           {"looks2", "looks=2", 1, {{"looks", 2}}},
                                           {"looks3", "looks=3", 2, {{"looks", 3}}}};

// Logits are plain loops over one image, so a row has the same bits in any batch. If it goes on, its logits are also those of
// the look before, whose rows must be of the same images.
struct Looks : models::ElasticModel {
  explicit Looks(bool on) : goes_on(on) {}
  const std::vector<models::Subnet>& subnets() const override { return looks; }
  Tensor forward(const Tensor& images, const models::Subnet& subnet) override {
    models::Look at;
    for (int64_t s = goes_on ? 0 : subnet.id; s <= subnet.id; ++s) at = look(images, looks[static_cast<size_t>(s)], at);
    return at.logits;
  }
  models::Look look(const Tensor& images, const models::Subnet& subnet, const models::Look& before) override {
    const int64_t batch = images.size(0);
    passes[static_cast<size_t>(subnet.id)].push_back(batch);
    models::Look now{Tensor::empty({batch, kClasses}), goes_on ? Tensor::empty({batch, 2, 1}) : Tensor()};
    const bool first = subnet.id == 0 || !goes_on;
    REQUIRE(before.memory.defined() == !first);
    REQUIRE(before.logits.defined() == !first);
    for (int64_t b = 0; b < batch; ++b) {
      const Real* image = images.data() + b * kPixels;
      Real* logits = now.logits.mutable_data() + b * kClasses;
      const Real* memory = first ? nullptr : before.memory.data() + b * 2;
      if (memory) REQUIRE(memory[0] == image[0]);
      if (memory) REQUIRE(memory[1] == static_cast<Real>(subnet.id));
      for (int64_t k = 0; k < kClasses; ++k) {
        logits[k] = image[k] * static_cast<Real>(subnet.id + 1);
        if (memory) logits[k] += before.logits.at({b, k}) / 2 + memory[0];
      }
      if (!goes_on) continue;
      now.memory.mutable_data()[b * 2] = image[0];
      now.memory.mutable_data()[b * 2 + 1] = static_cast<Real>(subnet.id + 1);
    }
    return now;
  }
  bool continues() const override { return goes_on; }
  std::vector<Tensor> active(const models::Subnet&) const override { return {}; }
  int64_t params(const models::Subnet& s) const override { return 10 * (s.id + 1); }
  int64_t macs(const models::Subnet& s) const override { return 1000 * (s.id + 1) * (s.id + 1); }
  std::unique_ptr<models::ElasticModel> extract(const models::Subnet&) const override { return nullptr; }
  models::Config config() const override { return {{"model", "looks"}}; }
  int64_t classes() const override { return kClasses; }
  int64_t image_size() const override { return 2; }
  bool goes_on;
  std::vector<int64_t> passes[3];
};

// Every fifth image is the one before it, so that there are ties.
Tensor make_images(int64_t count) {
  Stream stream(3, Purpose::init);
  Tensor images = Tensor::normal({count, 3, 2, 2}, 0, 1, stream);
  for (int64_t i = 4; i < count; i += 5) images.slice(0, i, i + 1).copy_(images.slice(0, i - 1, i));
  return images;
}

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

TEST_CASE("cascade: what looking twice would bring, by hand") {
  // Ten images of class 0. The first stage is right and sure on seven; the second is right on all; a third is never right.
  std::vector<StagePredictions> stages = {{looks[0], 10, std::vector<double>(10, 0), {}},
                                          {looks[1], 20, std::vector<double>(10, 0), std::vector<double>(10, 0.9)},
                                          {looks[2], 50, std::vector<double>(10, 1), std::vector<double>(10, 0.9)}};
  for (int i = 0; i < 10; ++i) stages[0].confidence.push_back(0.1 * (i + 1));
  for (size_t i = 0; i < 3; ++i) stages[0].predicted[i] = 1;
  const std::vector<double> labels(10, 0);
  const Twice pairs(stages, labels, false);
  REQUIRE(pairs.curves().size() == 2);
  CHECK(pairs.curves()[0].stages == std::vector<size_t>{0, 2});
  CHECK(pairs.curves()[1].stages == std::vector<size_t>{0, 1});
  CHECK(pairs.name(pairs.curves()[1]) == "1 then 2 looks");
  const std::vector<Twice::Point>& points = pairs.curves()[1].points;
  REQUIRE(points.size() == 12);  // 0, the ten confidences, above all
  for (size_t i = 0; i < points.size(); ++i) {
    const double again = std::max(0.0, static_cast<double>(i) - 1);
    CHECK(points[i].stopped[1] == doctest::Approx(again / 10));
    CHECK(points[i].mean_macs == doctest::Approx(10 + 2 * again));
    CHECK(points[i].accuracy == doctest::Approx(70 + 10 * std::min(3.0, again)));
  }
  // Between 10 and 50 MACs: 70 up to 12, 80 to 14, 90 to 16, then 100.
  CHECK(pairs.curves()[1].area == doctest::Approx((2 * 70 + 2 * 80 + 2 * 90 + 34 * 100) / 40.0));
  CHECK(pairs.curves()[0].area == doctest::Approx(70));
  CHECK(pairs.surest(2, false) == std::vector<size_t>{9, 8});
  CHECK(pairs.surest(2, true) == std::vector<size_t>{0, 1});
  const auto classes = pairs.classes(pairs.curves()[1], {"a", "b"}, 5);
  REQUIRE(classes.size() == 2);
  CHECK(classes[1] == std::vector<std::string>{"a", "10", "50.0", "70.0", "100.0"});
  CHECK(pairs.shares(pairs.curves()[1]).back() == std::vector<std::string>{"never", "30", "100.00", "0.0", "100.0"});
  CHECK(pairs.chart().series.size() == 3);

  const Twice chain(stages, labels, true);  // costs include those of the looks before
  REQUIRE(chain.curves().size() == 1);
  CHECK(chain.curves()[0].stages == std::vector<size_t>{0, 1, 2});
  CHECK(chain.curves()[0].points[1].mean_macs == 10);
  CHECK(chain.curves()[0].points[3].mean_macs == doctest::Approx(0.8 * 10 + 0.2 * 20));
  CHECK(chain.curves()[0].points.back().mean_macs == 50);
}

TEST_CASE("cascade: stages and thresholds by the words of options") {
  const Looks chain(true), pairs(false);
  const auto chosen = [](const models::ElasticModel& model, const std::string& stages, const std::string& wanted = "",
                         CascadeChoice choice = {}) {
    choice.stages = stages;
    std::set<std::string> given;
    if (!stages.empty()) given.insert("cascade");
    if (choice.measure != "entropy") given.insert("measure");
    if (choice.entropy_classes != "10") given.insert("entropy-classes");
    return chosen_cascade(choice, given, model, wanted);
  };
  const auto refused = [&](const models::ElasticModel& model, const std::string& stages, const std::string& text,
                           const std::string& wanted = "", const CascadeChoice& choice = {}) {
    const fixtures::Caught caught = error_of([&] { chosen(model, stages, wanted, choice); });
    CHECK(caught.text == text);
    CHECK(caught.code == 2);
  };
  CHECK_FALSE(chosen(pairs, ""));
  CHECK_FALSE(chosen(chain, ""));
  CHECK(chosen(chain, "", "--thresholds")->stages.size() == 3);
  CHECK(chosen(chain, "1,2,3")->stages.size() == 3);
  CHECK(chosen(pairs, "1,looks3")->stages[1].id == 2);
  CHECK(chosen(pairs, "1,3", "", {"", "entropy", "all"})->measure.classes() == 0);
  CHECK_FALSE(chosen(pairs, "1,3", "", {"", "confidence", "10"})->measure.entropy());
  refused(pairs, "", "--threshold: needs a cascade; name its widths, as --cascade 1,3", "--threshold");
  refused(pairs, "", "--measure: needs a cascade; name its widths, as --cascade 1,3", "", {"", "confidence", "10"});
  refused(chain, "", "--measure: needs a threshold; a cascade without one looks at nothing again", "",
          {"", "confidence", "10"});
  refused(pairs, "2", "--cascade: '2' is one width alone; name two or more, narrowest first: the model runs with 1,2,3");
  refused(pairs, "3,1", "--cascade: '3,1': name each width once and the narrowest first, in the order of 1,2,3");
  refused(pairs, "1,1", "--cascade: '1,1': name each width once and the narrowest first, in the order of 1,2,3");
  refused(pairs, "1,9", "--cascade: the model has no '9'; it runs with 1,2,3 looks");
  refused(pairs, "1,,3", "--cascade: the model has no ''; it runs with 1,2,3 looks");
  refused(pairs, "1-3", "--cascade: the model has no '1-3'; it runs with 1,2,3 looks");
  refused(chain, "1,3", "--cascade: '1,3' leaves out looks from which later ones go on; write 1,2,3, or leave --cascade out");
  refused(pairs, "1,3", "--entropy-classes: '1' is no number of at least 2 classes; write 10 or all", "", {"", "entropy", "1"});
  refused(pairs, "1,3", "--entropy-classes: only of --measure entropy", "", {"", "confidence", "5"});
  CHECK(parse_thresholds("--thresholds", "0.2,1e-3,0") == std::vector<double>{0.2, 1e-3, 0});
  for (const char* bad : {"", "x", "0.2,", "-0.1", "inf", "nan", "1e999", "0,5x"}) {
    const fixtures::Caught caught = error_of([&] { parse_thresholds("--threshold", bad); });
    CHECK(caught.code == 2);
    CHECK(caught.has("is no threshold; write a number from 0 on, as 0.5"));
  }
}

TEST_CASE("program: eval and predict look again, with thresholds and exact mean budgets, and refuse what makes no sense") {
  using namespace program_fixtures;
  if (!Program::binary()) return;
  const Program program;
  const auto model = fixtures::make_nano((program / "m").string());
  for (int i = 0; i < 70; ++i) fixtures::write_shape((program / concat("p/", 100 + i, ".png")).string(), i);
  std::ofstream(program / "p/120.png") << "no picture, but named as one";
  const double first = static_cast<double>(model->macs(model->subnet(2))),
               second = static_cast<double>(model->macs(model->subnet(6)));

  const program_fixtures::Result eval =
      program("eval m --threads 1 --data data --limit 60 --heads 3 --cascade 2,6 --thresholds 0,0.8,9 --json");
  INFO(eval.err);
  REQUIRE(eval.code == 0);
  const ParsedJson json = ParsedJson::parse(eval.out), rows = json["cascade"]["rows"];
  CHECK(json["results"].size() == 3);  // 3, and the stages
  CHECK(json["cascade"]["measure"] == "entropy");
  CHECK(json["cascade"]["stages"] == ParsedJson::parse(R"([{"heads":2},{"heads":6}])"));
  REQUIRE(rows.size() == 3);
  CHECK(rows[0]["top1"].get<double>() == doctest::Approx(json["results"][2]["top1"].get<double>()));
  CHECK(rows[0]["mean_macs"] == first + second);
  CHECK(rows[2]["loss"].get<double>() == doctest::Approx(json["results"][0]["loss"].get<double>()));
  CHECK(rows[2]["mean_macs"] == first);
  CHECK(rows[1]["stopped"][0].get<double>() + rows[1]["stopped"][1].get<double>() == doctest::Approx(1));
  CHECK(rows[1]["images_per_second"] > 0);

  // One of the 70 files is no picture, so it costs nothing of the budget.
  const auto answers = [&](const std::string& options, std::string* err = nullptr) {
    const program_fixtures::Result result = program("predict m p --threads 1 --topk 1 --format json --cascade 2,6 " + options);
    INFO(result.err);
    REQUIRE(result.code == 3);
    if (err) *err = result.err;
    const ParsedJson every = ParsedJson::parse(result.out);
    CHECK(every["errors"].size() == 1);
    REQUIRE(every["results"].size() == 69);
    for (size_t i = 1; i < 69; ++i) CHECK(every["results"][i - 1]["image"] < every["results"][i]["image"]);
    return every["results"];
  };
  const ParsedJson narrow = answers("--threshold 9"), wide = answers("--threshold 0");
  std::vector<double> entropies;
  for (const ParsedJson& one : narrow) entropies.push_back(one["entropy"]);
  std::sort(entropies.begin(), entropies.end());
  std::string err;
  const ParsedJson spent = answers(concat("--budget-macs ", static_cast<int64_t>(first + second * 20.5 / 69)), &err);
  for (size_t i = 0; i < 69; ++i) {
    CHECK(narrow[i]["heads"] == 2);
    CHECK(wide[i]["heads"] == 6);
    CHECK(spent[i] == (narrow[i]["entropy"] >= entropies[49] ? wide[i] : narrow[i]));
  }
  CHECK(contains(err, "49 answered by heads=2, 20 answered by heads=6; mean "));
  const size_t at = err.find("; threshold ");
  REQUIRE(at != std::string::npos);
  CHECK(answers("--threshold " + err.substr(at + 12, err.find('\n', at) - at - 12)) == spent);

  const program_fixtures::Result table =
      program("predict m p/100.png --threads 1 --cascade 2,6 --threshold 0.6 --measure confidence");
  CHECK(table.code == 0);
  CHECK(contains(table.out, " confidence 0."));
  const program_fixtures::Result csv =
      program("predict m p/100.png --threads 1 --cascade 2,6 --threshold 9 --format csv --topk 1");
  CHECK(csv.out.find("image,heads,entropy,rank,class,probability\np/100.png,2,") == 0);

  for (const auto& [options, text] : std::vector<std::pair<std::string, std::string>>{
           {"eval m --thresholds 0.5", "--thresholds: needs a cascade; name its widths, as --cascade 2,6"},
           {"eval m --cascade 6", "--cascade: '6' is one width alone"},
           {"predict m p --threshold 0.5", "--threshold: needs a cascade"},
           {"predict m p --cascade 2,6", "--cascade: does not say when to look again; give --threshold or --budget-macs"},
           {"predict m p --cascade 2,6 --threshold 1,2", "--threshold: '1,2': give one"},
           {"predict m p --cascade 2,6 --threshold 1 --budget-macs 9M", "--threshold and --budget-macs: both say when"},
           {"predict m p --cascade 2,6 --threshold 1 --budget-ms 9", "--budget-ms: not with a cascade"},
           {"predict m p --cascade 2,6 --threshold 1 --heads 2", "--heads: not with a cascade"},
           {"predict m p --cascade 2,6 --threshold 1 --explain x.png", "--explain: not with a cascade"},
           {"predict m p --cascade 2,6 --budget-macs 3M",
            "--budget-macs: 3e+06 MACs are not enough for the first look, heads=2, which takes 3310144 an image"}}) {
    check_refused(program(options + " --threads 1"), 2, text);
  }
}
