// Who uses cascades: what the report computes of stored predictions, the words of options, the program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cascade_fixtures.h"
#include "tests/predict_fixtures.h"
#include "tests/program.h"
#include "train/cascade/options.h"
#include "train/cascade/twice.h"

using namespace hv;
using namespace hv::train;
using namespace hv::cascade_fixtures;
using fixtures::error_of;
using ParsedJson = nlohmann::json;

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
