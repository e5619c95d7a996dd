// What a report says of findings: its numbers against the scorer and plain twins, its drawings, its section for a real run.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "models/branches.h"
#include "report_fixtures.h"
#include "train/answers/thresholds.h"
#include "train/draw/html.h"
#include "train/evaluate.h"
#include "train/findings/charts.h"
#include "train/findings/extremes.h"
#include "train/findings/section.h"
#include "train/findings/together.h"
#include "train/scores/calibration.h"
#include "train/scores/findings.h"

using namespace hv;
using namespace hv::train;
using namespace hv::report_fixtures;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Some scores with ties, better than chance, and targets.
struct Scored {
  std::vector<double> scores;
  std::vector<uint8_t> targets;
  explicit Scored(size_t n, uint64_t seed) {
    Stream stream(seed, Purpose::test);
    for (size_t i = 0; i < n; ++i) {
      targets.push_back(stream.below(4) == 0);
      scores.push_back(stream.below(20) + 3.0 * targets[i]);
    }
  }
};

double area(const std::vector<Point>& curve) {
  double sum = 0;
  for (size_t i = 1; i < curve.size(); ++i) sum += (curve[i].x - curve[i - 1].x) * (curve[i].y + curve[i - 1].y) / 2;
  return sum;
}

// Forty patients with two pictures each and a run on them. Nobody of the test set has the label "rare".
struct FindingsRun {
  fixtures::TempDir dir;
  std::string folder = dir / "run";

  FindingsRun() {
    set_num_threads(1);
    fs::create_directories(dir / "data");
    std::string table = "file,patient,\"<script>alert(1)&\"\"'<\",plain,rare\n", training, testing;
    for (int i = 0; i < 80; ++i) {
      const bool first = i % 4 < 2, second = i % 6 < 2, tested = i >= 40;
      std::vector<uint8_t> pixels(3 * 32 * 32, static_cast<uint8_t>((first ? 150 : 40) + i));
      for (size_t k = 0; second && k < pixels.size(); k += 2) pixels[k] = static_cast<uint8_t>(3 * i);
      const std::string name = concat(i, ".png");
      data::write_png(dir / "data/" + name, {32, 32, pixels});
      table += concat(name, ",p", i / 2, ",", first ? 1 : 0, ",", second ? 1 : 0, ",", !tested && i % 5 == 0 ? 1 : 0, "\n");
      (tested ? testing : training) += name + "\n";
    }
    fixtures::write_text(dir / "data/labels.csv", table);
    fixtures::write_text(dir / "data/train_val_list.txt", training);
    fixtures::write_text(dir / "data/test_list.txt", testing);
    const data::Source source{dir / "data", "findings", 32};
    const data::DatasetPtr train = data::open(source, data::Split::train), test = data::open(source, data::Split::test);
    models::HydraViTConfig backbone;
    backbone.patch = 8;
    backbone.depth = 1;
    backbone.head_dim = 8;
    backbone.heads_min = 1;
    backbone.heads = 3;
    backbone.classes = 3;
    models::BranchesConfig config;
    config.backbone = models::to_config(backbone);
    TrainOptions o;
    o.steps = 6;
    o.batch_size = 8;
    o.augment = "none";
    o.smoothing = 0;
    o.recipe = "branches";
    o.data = source.data;
    o.kind = "findings";
    fs::create_directories(folder);
    const auto model = models::make_model(models::to_config(config), 1);
    Trainer trainer({*model, model->subnets(), *train, test.get(), o, folder, provenance(source, *train, test.get())},
                    make_recipe(o, *model, model->subnets()));
    RunLog log(folder, o, test.get(), false);
    trainer.run(log);
  }
  data::DatasetPtr open(data::Split split) const { return data::open({dir / "data", "findings", 32}, split); }
  std::string report() const { return read_text(write_report({folder, {}, "", {}})); }
};

// From the heading of the section to the next one.
std::string section_of(const std::string& page) {
  const size_t begin = page.find("<h2 id=\"findings\""), end = page.find("<h2 ", begin + 1);
  return begin == std::string::npos ? "" : page.substr(begin, end - begin);
}

// The cells of the table's row that begins with this name.
std::vector<std::string> row_of(const std::string& section, const std::string& name) {
  const size_t begin = section.find("scope=\"row\">" + escape(name) + "</th>");
  std::vector<std::string> cells;
  for (size_t at = section.find("<td>", begin), end = section.find("</tr>", begin); at < end; at = section.find("<td>", at + 1))
    cells.push_back(section.substr(at + 4, section.find("</td>", at) - at - 4));
  return cells;
}

}  // namespace

TEST_CASE("findings in a report: the area under a ROC curve is the AUROC, and hardly another one as it is drawn") {
  for (const size_t n : {5, 50, 3000}) {
    Scored some(n, n);
    some.targets[0] = 1;
    some.targets[1] = 0;
    some.scores[n / 2] = kNone;
    if (n == 3000) {  // as many steps as pictures
      for (size_t i = 0; i < n; ++i) some.scores[i] += 1e-4 * static_cast<double>(i % 1999);
    }
    const Ranking ranking = rank(some.scores, some.targets);
    const std::vector<RocPoint> curve = roc_curve(ranking);
    std::vector<Point> whole;
    for (const RocPoint& point : curve) whole.push_back({point.false_positives, point.true_positives});
    CHECK(area(whole) == doctest::Approx(auroc(ranking)).epsilon(1e-12));
    const std::vector<Point> drawn = corners(curve);
    CHECK(std::abs(area(drawn) - auroc(ranking)) < 1 / kPanelSide);
    CHECK((drawn.front().x == 0 && drawn.front().y == 0 && drawn.back().x == 1 && drawn.back().y == 1));
    CHECK(drawn.size() <= std::min<size_t>(curve.size(), 600));
  }
  const std::vector<uint8_t> none(3, 0);
  CHECK(roc_curve(rank(std::vector<double>{1, 2, 3}, none)).empty());
  CHECK(corners({}).empty());
  // A straight line needs its ends alone.
  CHECK(corners(roc_curve(rank(std::vector<double>{4, 3, 2, 1}, std::vector<uint8_t>{1, 1, 0, 0}))).size() == 3);
}

TEST_CASE("findings in a report: what occurs together, against plain loops") {
  const Scored a(60, 1), b(60, 2), c(60, 3);
  std::vector<std::vector<uint8_t>> targets = {a.targets, b.targets, c.targets, std::vector<uint8_t>(60, 0)};
  std::vector<std::vector<double>> p = probabilities_of({a.scores, b.scores, c.scores, a.scores});
  CHECK(p[0][7] == probability(a.scores[7]));
  const Together both = together(targets, p);
  for (size_t row = 0; row < 4; ++row) {
    for (size_t column = 0; column < 4; ++column) {
      double with_row = 0, with_both = 0, sum = 0, product = 0;
      for (size_t i = 0; i < 60; ++i) {
        with_row += targets[row][i] ? 1 : 0;
        with_both += targets[row][i] && targets[column][i] ? 1 : 0;
        sum += p[row][i];
        product += p[row][i] * p[column][i];
      }
      const double seen = both.seen[row * 4 + column], predicted = both.predicted[row * 4 + column];
      CHECK(std::isnan(seen) == (row == column || row == 3));
      CHECK(std::isnan(predicted) == (row == column));
      if (!std::isnan(seen)) CHECK(seen == doctest::Approx(with_both / with_row).epsilon(1e-12));
      if (!std::isnan(predicted)) CHECK(predicted == doctest::Approx(product / sum).epsilon(1e-12));
    }
  }
}

TEST_CASE("findings in a report: the best and the worst pictures, against a plain sort") {
  const Scored some(40, 4);
  std::vector<std::tuple<double, size_t>> with, without;  // in order: the highest first, of equal ones the lower number
  for (size_t i = 0; i < 40; ++i) {
    if (some.targets[i]) with.emplace_back(-some.scores[i], i);
    if (!some.targets[i]) without.emplace_back(-some.scores[i], i);
  }
  std::sort(with.begin(), with.end());
  std::sort(without.begin(), without.end());
  const Extremes most = extremes(some.scores, some.targets, 3);
  REQUIRE((most.found.size() == 3 && most.missed.size() == 3 && most.false_alarms.size() == 3));
  for (size_t i = 0; i < 3; ++i) {
    CHECK(most.found[i] == std::get<1>(with[i]));
    CHECK(some.scores[most.missed[i]] == -std::get<0>(with[with.size() - 1 - i]));
    CHECK(most.false_alarms[i] == std::get<1>(without[i]));
  }
  const Extremes few = extremes(std::vector<double>{1, 5, kNone, 3, 3, kNone}, std::vector<uint8_t>{1, 1, 1, 0, 0, 0}, 4);
  CHECK(few.found == std::vector<size_t>{1, 0});
  CHECK(few.missed == std::vector<size_t>{2});  // no answer is the worst answer
  CHECK(few.false_alarms == std::vector<size_t>{5, 3, 4});
  CHECK(extremes(std::vector<double>{1}, std::vector<uint8_t>{0}, 4).found.empty());
}

TEST_CASE("findings in a report: many labels, hostile names and numbers that are missing are drawn") {
  Judged judged;
  Result result{{"w", "w=1", 0, {{"heads", 1}}}, 1, 10, 9, {{"auroc", "AUROC", 0.5, 4, true, ""}}, 0, ""};
  for (size_t k = 0; k < 20; ++k) {
    judged.labels.push_back(k == 3 ? kHostile : concat("Label_of_many_letters_", k));
    judged.targets.push_back(std::vector<uint8_t>(30, 0));
    for (size_t i = 0; i < (k * 7) % 20; ++i) judged.targets[k][i] = 1;  // label 0 has none
    judged.widest.push_back(Scored(30, k).scores);
  }
  judged.widest[5][5] = kNone;
  judged.keys = label_keys(judged.labels);
  judged.narrowest = judged.widest;
  judged.results = {result, result};
  const std::vector<size_t> shown = most_frequent(judged, 14);
  CHECK(shown.size() == 14);
  CHECK(std::is_sorted(shown.begin(), shown.end()));
  CHECK(shown.front() != 0);
  const std::vector<std::string> names(14, kHostile);
  const std::vector<Matrix> matrices = together_matrices(judged, shown);
  for (const std::string& drawing :
       {svg(roc_panels(judged, shown)), svg(width_chart(judged, shown)), svg(matrices.at(0), names), svg(matrices.at(1), names),
        svg(mixing_bars(judged, shown, std::vector<double>(20, kNone))), svg(reliability_chart(judged)), svg(Panels{})}) {
    CHECK(unbalanced(drawing) == "");
    CHECK(drawing.find("<script") == std::string::npos);
    CHECK(drawing.find("\"nan") == std::string::npos);
  }
  CHECK(count(svg(roc_panels(judged, shown)), "class=\"a\"") == 14);
  CHECK(score_rows(judged, shown).at(1).at(2) == "n/a");
}

TEST_CASE("findings in a report: the section of a real run says what an evaluation says") {
  const FindingsRun run;
  const std::string page = run.report(), section = section_of(page);
  CHECK(unbalanced(page) == "");
  CHECK(page.find("<script") == std::string::npos);
  CHECK(count(page, "http") == count(page, "http://www.w3.org/2000/svg"));
  CHECK(count(page, "class=\"missing\"") <= 2);  // speed and the times of a step, where they are not measured
  CHECK(page.find("What it gets wrong") == std::string::npos);
  const size_t heading_end = section.find("</h2>");
  CHECK(section.substr(heading_end + 6, 3 + std::string(kNoMedicalDevice).size()) == concat("<p>", kNoMedicalDevice));
  CHECK(section.find("all 40 test pictures of 20 patients, by the live weights of last.ckpt at step 6, at 3 heads") !=
        std::string::npos);
  for (const char* file : {"roc", "widths", "together", "together-predicted", "reliability", "mixing"}) {
    CAPTURE(file);
    CHECK(unbalanced(read_text(run.folder + "/report/findings-" + file + ".svg")) == "");
  }

  Loaded loaded = load_model(run.folder), averaged = load_model(run.folder, true);
  const data::DatasetPtr test = run.open(data::Split::test), validation = run.open(data::Split::validation);
  const std::vector<models::Subnet>& widths = loaded.model->subnets();
  EvaluateOptions how;
  how.seed = loaded.header.seed;
  how.normalization = {loaded.header.mean, loaded.header.std};
  how.scores.details = true;
  how.thresholds = thresholds_on(validation.get(), *loaded.model, widths, how);
  std::vector<std::vector<double>> logits;  // of the widest [picture][label]
  how.seen = [&](size_t width, const Tensor& seen) {
    for (int64_t i = 0; width == 2 && i < seen.size(0); ++i) {
      logits.push_back({seen.data()[3 * i], seen.data()[3 * i + 1], seen.data()[3 * i + 2]});
    }
  };
  const std::vector<Result> live = evaluate(*loaded.model, widths, *test, how);
  how.seen = {};
  const std::vector<Result> mean = evaluate(*averaged.model, widths, *test, how);
  const auto text = [](const Result& result, const std::string& name) { return score_text(result.metric(name)); };
  const std::vector<std::string> keys = label_keys(test->class_names());
  for (size_t k = 0; k < 3; ++k) {
    const std::string auroc = "auroc_" + keys[k];
    CAPTURE(auroc);
    CHECK(row_of(section, test->class_names()[k]) ==
          std::vector<std::string>{
              print("%.0f", live[2].metric("positives_" + keys[k])), text(live[2], auroc), text(live[2], auroc + "_low"),
              text(live[2], auroc + "_high"), text(live[2], "ap_" + keys[k]), text(live[2], "f1_" + keys[k]),
              text(live[2], "threshold_" + keys[k]), text(mean[2], auroc), text(live[0], auroc), text(live[1], auroc)});
  }
  CHECK(row_of(section, "rare")[1] == "n/a");
  CHECK(row_of(section, "mean of 2") == std::vector<std::string>{"", text(live[2], "auroc"), text(live[2], "auroc_low"),
                                                                 text(live[2], "auroc_high"), text(live[2], "map"),
                                                                 text(live[2], "f1"), "", text(mean[2], "auroc"),
                                                                 text(live[0], "auroc"), text(live[1], "auroc")});

  // The pictures, by plain sorts. The order of ties is that of the pictures.
  for (size_t k = 0; k < 3; ++k) {
    const std::string name = escape(test->class_names()[k]);
    const size_t begin = section.find("<summary>" + name + ": AUROC"), end = section.find("</details>", begin);
    REQUIRE(begin != std::string::npos);
    std::vector<int64_t> found, wanted;
    for (size_t at = section.find("<figcaption>#", begin); at < end; at = section.find("<figcaption>#", at + 1)) {
      found.push_back(std::stoll(section.substr(at + 13)));
    }
    std::vector<Real> target(3);
    for (const auto& [has, sign] : {std::pair{true, 1.0}, {true, -1.0}, {false, 1.0}}) {
      std::vector<std::pair<double, int64_t>> order;
      for (int64_t i = 0; i < test->size(); ++i) {
        test->target(i, target.data());
        if ((target[k] == 1) == has) order.emplace_back(-sign * logits[static_cast<size_t>(i)][k], i);
      }
      std::sort(order.begin(), order.end());
      for (size_t i = 0; i < std::min<size_t>(4, order.size()); ++i) wanted.push_back(order[i].second);
    }
    CHECK(found == wanted);
  }
  CHECK(data::load_image(run.folder + "/report/finding-02-plain-missed.png").width == 4 * 33 + 1);

  // Without validation pictures there is no F1.
  const Judged judged = judge(loaded, OpenFolder(run.folder), widths, *test, nullptr);
  CHECK(score_rows(judged, {0})[0] == std::vector<std::string>{"finding", "positives", "AUROC", "low", "high", "AP",
                                                               "averaged weights", "at 1 head", "at 2 heads"});

  // What cannot be read costs the section alone, and is said in its place.
  fs::rename(run.dir / "data", run.dir / "moved");
  const std::string without = section_of(run.report());  // runs whose images have one label have none: test_report counts
  CHECK(without.find(kNoMedicalDevice) != std::string::npos);
  CHECK(without.find("No images: ") != std::string::npos);
}
