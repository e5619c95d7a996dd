// Yes or no per label: thresholds that a checkpoint carries, how predict answers and prints, labels that are explained.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/ops.h"
#include "data/findings/findings8.h"
#include "models/relevance.h"
#include "tests/predict_fixtures.h"
#include "tests/process.h"
#include "tests/trainer_fixtures.h"
#include "train/answers/label_heat.h"
#include "train/answers/thresholds.h"
#include "train/predict/predict_format.h"
#include "train/scores/calibration.h"
#include "train/scores/findings.h"
#include "train/scores/stored_thresholds.h"
#include "train/state/load.h"
#include "train/views/cost_table.h"

namespace hv::train {
namespace {

using fixtures::error_of;
using fixtures::Folder;
using fixtures::shape_image;
using fixtures::write_shape;
using NumberMap = std::map<std::string, double>;

models::Config small() {
  models::Config config = models::named_model("branches-nano", 8);
  for (const auto& [name, value] : models::Config{{"depth", "1"}, {"patch", "16"}, {"stem", "patch"}, {"heads", "3"}}) {
    config[name] = value;
  }
  return config;
}

// A training on a few drawn chests, with validation pictures.
struct Chests {
  explicit Chests(const TrainOptions& o, const std::string& folder)
      : model(models::make_model(small(), 5)),
        trainer({*model, model->subnets(), *sets()[0], sets()[1].get(), o, folder, {}, {}, sets()[2].get()},
                make_recipe(o, *model, model->subnets())) {}
  static const std::vector<data::DatasetPtr>& sets() {
    static const std::vector<data::DatasetPtr> all = {data::make_findings8(data::Split::train, 32),
                                                      data::make_findings8(data::Split::test, 20),
                                                      data::make_findings8(data::Split::validation, 24)};
    return all;
  }
  std::unique_ptr<models::ElasticModel> model;
  trainer_fixtures::LoggedTrainer trainer;
};

TrainOptions chest_options() {
  TrainOptions o;
  o.recipe = "branches";
  o.steps = 6;
  o.batch_size = 16;  // two steps per epoch
  o.ema = 0.5;
  o.seed = 3;
  o.augment = "none";
  return o;
}

NumberMap thresholds_of(const Header& header) {
  NumberMap found;
  for (const auto& [name, value] : header.metrics) {
    if (is_threshold(name)) found[name] = value;
  }
  return found;
}

models::Subnet subnet_named(const std::string& label) { return {label, label, 0, {{"heads", 1}}}; }

}  // namespace

TEST_CASE("answers: a checkpoint carries the thresholds of its last evaluation on validation pictures, resumed too") {
  const trainer_fixtures::Threads one;
  const Folder folder, other;
  Chests whole(chest_options(), folder.path());
  whole.trainer.run();
  for (const char* name : {"last.ckpt", "best.ckpt"}) {
    const Header header = read_header(folder / name);
    CHECK(header.metrics.contains("auroc.heads=2"));  // in last.ckpt that of the test pictures
    size_t stored = 0;
    for (const bool ema : {false, true}) {
      const Loaded loaded = load_model(folder / name, ema);
      // best.ckpt has weights of the evaluation that chose it, so what they choose now is what it carries.
      const auto& subnets = loaded.model->subnets();
      EvaluateOptions how;
      how.normalization = {header.mean, header.std};
      const Thresholds now = thresholds_on(Chests::sets()[2].get(), *loaded.model, subnets, how);
      const Thresholds then = thresholds_in(header, *loaded.model, subnets, ema);
      REQUIRE((now.size() == 2 && then.size() == 2));
      for (size_t s = 0; s < 2; ++s) {
        for (size_t k = 0; k < 8; ++k) {
          CHECK((then[s][k] == now[s][k] || (std::isnan(then[s][k]) && std::isnan(now[s][k]))));
          stored += !std::isnan(then[s][k]);
        }
      }
    }
    CHECK(stored > 4);
    CHECK(thresholds_of(header).size() == stored);
  }

  TrainOptions o = chest_options();
  o.stop_after = 3;  // behind the first evaluation, before the second
  Chests first(o, other.path());
  first.trainer.run();
  o.stop_after = 0;
  Chests second(o, other.path());
  second.trainer.restore(load_checkpoint(other / "last.ckpt"));
  CHECK(thresholds_of(second.trainer.header()) == thresholds_of(first.trainer.header()));
  CHECK(!thresholds_of(second.trainer.header()).empty());
  second.trainer.run();
  for (const char* name : {"last.ckpt", "best.ckpt"}) {
    Header a = read_header(folder / name), b = read_header(other / name);
    for (Header* header : {&a, &b}) header->metrics.erase("seconds");
    CHECK(a.metrics == b.metrics);
  }
}

TEST_CASE("answers: thresholds in a header: names, what is missing or no number, too many of them, who else reads metrics") {
  const std::vector<std::string> labels = {"A b", "C"};
  const models::Subnet wide = subnet_named("ratio=0.5"), other = subnet_named("ratio=1");
  Result result;
  result.subnet = wide;
  result.thresholds = {0.25, NAN};
  const NumberMap stored = thresholds_to_store(labels, {result}, {result});
  CHECK(stored == NumberMap{{"threshold_A_b.ratio=0.5", 0.25}, {"ema_threshold_A_b.ratio=0.5", 0.25}});
  for (const auto& [name, value] : stored) CHECK(is_threshold(name));
  for (const char* name : {"auroc.heads=2", "threshold_x", "ema_auroc.threshold_", "seconds"}) CHECK(!is_threshold(name));
  CHECK(stored_thresholds(stored, labels, wide, true)[0] == 0.25);
  CHECK(std::isnan(stored_thresholds(stored, labels, wide, false)[1]));
  CHECK(stored_thresholds(stored, labels, other, false).empty());
  CHECK(stored_thresholds({{"threshold_C.ratio=1", INFINITY}}, labels, other, false).empty());
  std::vector<std::string> many;
  for (int i = 0; i < 4000; ++i) many.push_back(concat("label ", i));
  result.thresholds.assign(many.size(), 0.5);
  CHECK(thresholds_to_store(many, {result}, {}).empty());

  const Thresholds some = {{0.25, NAN}, {NAN, NAN}};
  CHECK(missing_thresholds({}, {wide}, labels) ==
        "no thresholds in this checkpoint (it never saw validation pictures): yes from 0.5");
  CHECK(missing_thresholds(some, {wide, other}, labels) ==
        "no thresholds in this checkpoint for C, ratio=1: yes from 0.5 there");
  CHECK(missing_thresholds({{0.25, 0.5}}, {wide}, labels).empty());

  const std::vector<models::Cost> costs = models::costs(small());
  CHECK(cost_table(costs, {{"auroc.heads=2", 0.5}, {"threshold_A.heads=2", 0.1}}) ==
        cost_table(costs, {{"auroc.heads=2", 0.5}}));
}

TEST_CASE("answers: predict says yes from the threshold on, as an evaluation does, in every format") {
  const trainer_fixtures::Threads one;
  const NoGrad off;
  const auto model = models::make_model(small(), 5);
  model->eval();
  Header header = fixtures::shapes_header(*model);
  header.class_names = data::findings8_labels();
  const std::vector<models::Subnet>& widths = model->subnets();
  const std::vector<Real> logits = {Real(-1), Real(0.3), Real(2), Real(-3), Real(-4), Real(-5), Real(-6), Real(-7)};
  Thresholds thresholds(2, std::vector<double>(8, 0.9));
  thresholds[0][1] = probability(static_cast<double>(logits[1]));  // a picture's own probability
  thresholds[1][2] = NAN;
  Outcome outcome;
  outcome.image = "a,b.png";
  const Predictor predictor(*model, header, widths, 3, false, thresholds);
  for (const models::Subnet& width : widths) outcome.predictions.push_back(predictor.predict("a,b.png", width, logits.data()));
  const Prediction &narrow = outcome.predictions[0], &wide = outcome.predictions[1];
  CHECK((narrow.classes[0].first == "effusion_right" && narrow.classes[0].second == probability(2)));
  CHECK((!narrow.yes(0) && narrow.yes(1) && !narrow.yes(2)));
  CHECK((wide.yes(0) && wide.thresholds[0] == kPlainThreshold && !wide.yes(1)));

  const auto print_all = [&](const std::string& format, const std::vector<models::Subnet>& which, const Outcome& what) {
    const auto printer = make_predict_format(format, which, header.class_names, {{"a,b.png", ""}}, "", true);
    return printer->begin() + printer->add(what) + printer->end();
  };
  Outcome alone = outcome;
  alone.predictions.resize(1);
  CHECK(print_all("table", {widths[0]}, alone) ==
        "a,b.png  heads=2   effusion_right 88.1% no  effusion_left 57.4% yes  cardiomegaly 26.9% no\n");
  CHECK(print_all("table", widths, outcome) ==
        "a,b.png  heads=2   effusion_left 57.4%\na,b.png  heads=3   effusion_right 88.1%\n");
  outcome.predictions[1].thresholds[0] = 0.95;
  CHECK(print_all("table", widths, outcome).ends_with("heads=3   none\n"));
  CHECK(print_all("csv", widths, alone) ==
        "image,heads,rank,class,probability,threshold,answer\n"
        "\"a,b.png\",2,1,effusion_right,0.880797078,0.9,no\n"
        "\"a,b.png\",2,2,effusion_left,0.57444252,0.57444252,yes\n"
        "\"a,b.png\",2,3,cardiomegaly,0.268941421,0.9,no\n");
  const auto json = nlohmann::json::parse(print_all("json", widths, alone))["results"][0]["classes"];
  CHECK((json[0]["threshold"] == 0.9 && json[0]["answer"] == false && json[1]["answer"] == true && json.size() == 3));
}

TEST_CASE("answers: labels by name, what speaks for them, and the picture that shows it") {
  const trainer_fixtures::Threads one;
  const std::vector<std::string> names = {"Mass", "Pleural Thickening", "a"};
  CHECK(labels_named("Pleural Thickening,Mass", names) == std::vector<int64_t>{1, 0});
  CHECK(labels_named("Pleural_Thickening", names) == std::vector<int64_t>{1});
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"mass", "no label 'mass'; known: Mass, Pleural Thickening, a; did you mean Mass?"},
      {"", "no label ''; known: Mass, Pleural Thickening, a; did you mean a?"},
      {"Mass,Mass", "Mass is named twice"}};
  for (const auto& [text, error] : bad) {
    const fixtures::Caught caught = error_of([&, &given = text] { labels_named(given, names); });
    CHECK(caught.text == "--labels: " + error);
    CHECK(caught.code == 2);
  }

  const Folder folder;
  const auto model = fixtures::make_nano();
  const Header header = fixtures::shapes_header(*model);
  const std::vector<models::Subnet> widths = {model->subnets()[0], model->subnets()[4]};
  write_shape(folder / "0.png", 0);
  const Predictor plain(*model, header, widths, 2, true);
  const LabelExplainer explainer(*model, header, widths, {}, 2, {7, 1});
  const Outcome expected = plain.look(std::vector<ImagePath>{{folder / "0.png", ""}})[0];
  const Outcome found = explainer.look({folder / "0.png", ""});
  REQUIRE((found.predictions.size() == 2 && found.labels.size() == 2 && found.labels[1].size() == 2));
  for (size_t w = 0; w < 2; ++w) {
    CHECK(found.predictions[w].classes == expected.predictions[w].classes);
    CHECK(found.heat[w].values == expected.heat[w].values);
  }
  const Tensor input = Tensor::empty({1, 3, 32, 32});
  for (int64_t i = 0; i < 3 * 1024; ++i) {
    const auto c = static_cast<size_t>(i / 1024);
    input.mutable_data()[i] =
        static_cast<Real>((shape_image(0).chw[static_cast<size_t>(i)] / 255.0 - header.mean[c]) / header.std[c]);
  }
  const std::vector<double> heat = models::relevance(*model, input, widths[1], 7).to_vector();
  for (size_t i = 0; i < heat.size(); ++i) CHECK(found.labels[1][0].heat.values[i] == doctest::Approx(heat[i]).epsilon(1e-3));
  CHECK(found.labels[1][0].caption.starts_with(header.class_names[7] + "\n"));
  CHECK(found.labels[1][0].caption.ends_with("%"));  // classes exclude each other: no answer
  const LabelExplainer most(*model, header, widths, {}, 2, {});
  CHECK(most.look({folder / "0.png", ""}).labels[0].size() == kLabelsShown);
  CHECK(!explainer.look({folder / "1.png", ""}).problem.empty());
  const data::Image picture = label_explanation({found}), row = label_explanation({found, found});
  CHECK((picture.width == 4 * 200 + 8 && row.height > 2 * picture.height - 60));
}

}  // namespace hv::train
