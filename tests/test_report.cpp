// The report: its arithmetic, its drawings, and its page for a real run and for hostile files.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "data/image.h"
#include "report_fixtures.h"
#include "train/draw/html.h"
#include "train/draw/statistics.h"
#include "train/io/json.h"
#include "train/report/charts.h"

using namespace hv;
using namespace hv::train;
using namespace hv::report_fixtures;
using fixtures::error_of;
using fixtures::TempDir;
using fixtures::write_text;

TEST_CASE("report: ticks are round numbers within the range") {
  CHECK(ticks(0, 10, 5) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(ticks(61.2, 69.9, 6) == std::vector<double>{62, 64, 66, 68});
  CHECK(ticks(-3, 7, 4) == std::vector<double>{0, 5});
  CHECK(ticks(0, 0.9e-3, 4).back() == doctest::Approx(0.8e-3).epsilon(0.3));
  CHECK(log_ticks(3, 60) == std::vector<double>{5, 10, 20, 50});
  CHECK(log_ticks(0.9e-6, 1.1).size() == 7);  // powers of ten alone
  CHECK(ticks(2, 2, 5).empty());
  CHECK(ticks(0, std::nan(""), 5).empty());
  CHECK(log_ticks(0, 5).empty());
  CHECK(short_number(0.0005) == "0.0005");
  CHECK(short_number(4500) == "4500");
  CHECK(short_number(150000) == "150 k");
  CHECK(short_number(22709952) == "22.71 M");
}

TEST_CASE("report: the chi-square test agrees with the tables") {
  for (const auto& [x, freedom, p] : {std::tuple{3.841459, 1, 0.05},
                                      {9.487729, 4, 0.05},
                                      {11.070498, 5, 0.05},
                                      {16.918978, 9, 0.05},
                                      {15.086272, 5, 0.01},
                                      {2.0, 2, std::exp(-1)},
                                      {0.0, 3, 1.0}}) {
    CHECK(chi_square_p(x, freedom) == doctest::Approx(p).epsilon(1e-6));
  }
}

TEST_CASE("report: texts are escaped, charts are whole") {
  CHECK(escape("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  CHECK(escape("\xc3\xa4\xe2\x80\xa6") == "\xc3\xa4\xe2\x80\xa6");
  const std::string replaced = "\xef\xbf\xbd";
  CHECK(escape("a\xff\x01") == "a" + replaced + replaced);
  CHECK(escape("\xc3<") == replaced + "&lt;");
  CHECK(escape("\xc0\xbc") == replaced + replaced);  // an overlong '<'

  const double nan = std::nan(""), huge = std::numeric_limits<double>::infinity();
  Chart chart{kHostile,
              kHostile,
              {kHostile},
              {kHostile},
              {{kHostile, group_colour(0), {{1, 2, kHostile}, {nan, 1, ""}, {3, huge, ""}}}}};
  chart.marks = {{2, kHostile}, {nan, ""}};
  const Bars bars{
      kHostile, kHostile, kHostile, kHostile, {{kHostile, 3, ramp_colour(0, 1), kHostile, 2}, {"", nan, ramp_colour(0, 1)}}};
  Chart empty{"empty", "", {"x", true}, {"y", true}, {}};
  Chart one{"one value", "", {"x", true}, {"y"}, {{"a", group_colour(9), {{1e-3, 5}}}}};
  for (const std::string& drawing : {svg(chart), svg(bars), svg(empty), svg(one), svg(Bars{})}) {
    CHECK(unbalanced(drawing) == "");
    CHECK(drawing.find("<script") == std::string::npos);
    CHECK(drawing.find("nan") == std::string::npos);
    CHECK(drawing.find("inf") == std::string::npos);
  }
  one.series[0].marker = -1;
  CHECK(svg(one).find("fill=\"currentColor\"") != std::string::npos);  // a single point is drawn; lines have no markers
  CHECK(unbalanced("<a><b></a>") != "");                               // the checker itself
  CHECK(unbalanced("<a><b></b>") != "");
}

TEST_CASE("report: a chart's labels do not cover each other") {
  Chart chart{"t", "", {"x"}, {"y"}, {{"a", group_colour(0), {}}}};
  for (int i = 0; i < 40; ++i) chart.series[0].points.push_back({i * 0.01, 1.0, "label " + std::to_string(i)});
  chart.series[0].points.push_back({100, 2, "far"});
  const std::string drawing = svg(chart);
  CHECK(count(drawing, ">label ") >= 1);
  CHECK(count(drawing, ">label ") < 10);  // forty are within four pixels
  CHECK(count(drawing, ">far<") == 1);
  const size_t markers = count(drawing, "stroke-width=\"1.5\"");
  CHECK(markers < 41);  // a line has a few
  chart.series[0].line = false;
  CHECK(count(svg(chart), "stroke-width=\"1.5\"") == 41 + 1);  // without a line every point is drawn, and one in the legend
}

TEST_CASE("report: a real run has every section, complete and escaped") {
  const TinyRun run;
  const std::string page = run.report({"", {}, "", {0, 23}});
  CHECK(unbalanced(page) == "");
  CHECK(page.size() < 3 << 20);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find(escape(kHostile)) != std::string::npos);
  CHECK(count(page, "http") == count(page, "http://www.w3.org/2000/svg"));
  CHECK(count(page, "<h2 ") == 9);
  for (const char* text : {"Accuracy against cost", "Over the steps", "Chi-square ", "Most confused", "The worst test images",
                           "Test image 0: ", "Test image 23: ", "3 heads: ", "Looking twice", "1 then 3 heads",
                           "The command that repeats it", "What it is trained on"}) {
    CAPTURE(text);
    CHECK(page.find(text) != std::string::npos);
  }
  CHECK(count(page, "class=\"missing\"") <= 1);           // the times of a step, where they are not measured
  CHECK(count(page, "<img ") == 24 + 8 + 2 * 8 + 2 * 4);  // the worst, a batch, easy and hard, two images at three widths
  CHECK(count(page, "<img alt=\"") == count(page, "<img "));
  for (const char* file : {"accuracy-macs.svg", "accuracy-parameters.svg", "accuracy-speed.svg", "loss.svg",
                           "learning-rate.svg", "test-accuracy.svg", "draws.svg", "confusion.svg", "twice.svg"}) {
    CAPTURE(file);
    const std::string drawing = read_text(run.folder + "/report/" + file);
    CHECK(drawing.substr(0, 4) == "<svg");
    CHECK(unbalanced(drawing) == "");
    CHECK(drawing.find("<script") == std::string::npos);
  }
  for (const char* file : {"worst.png", "training-images.png", "look-0.png"})
    CHECK(data::load_image(run.folder + "/report/" + file).height > 96);

  // The counts on the page are those of the run: twelve steps, and each test image once in the matrix.
  const RunData data = read_run(run.folder);
  CHECK(draws_chart(data)->steps == 12);
  CHECK(data.predictions->rows() == 24);
  const Confusion matrix = confusion(*data.predictions, data.widths[2].subnet, 2);
  int64_t rows[2] = {}, right = 0;
  for (const Confusion::Pair& cell : matrix.cells) {
    rows[cell.label] += cell.count;
    right += cell.label == cell.predicted ? cell.count : 0;
  }
  CHECK(rows[0] == 12);
  CHECK(rows[1] == 12);
  CHECK(100.0 * static_cast<double>(right) / 24 == doctest::Approx(data.last("top1", data.widths[2].subnet)).epsilon(1e-4));
  double loss = 0;
  for (const double one : *data.predictions->find("loss_heads2")) loss += one / 24;
  CHECK(loss == doctest::Approx(data.last("loss", data.widths[1].subnet)).epsilon(1e-4));

  const std::string both = run.report({"", {run.folder}, run.dir / "both.html", {0}});
  CHECK(unbalanced(both) == "");
  CHECK(both.find("mean over the widths") != std::string::npos);
  const TinyRun other;  // the same images in another folder
  CHECK(run.report({"", {other.folder}, "", {0}}).find("does not compare") == std::string::npos);
  fs::remove(other.folder + "/summary.csv");
  CHECK(run.report({"", {other.folder}, "", {0}}).find("summary.csv: is not there") != std::string::npos);
  CHECK(error_of([&] { run.report({"", {}, "", {24}}); }).text == "--images: 24 is not there; the test images are 0 to 23");
  CHECK(error_of([&] { run.report({"", {run.dir / "none"}, "", {}}); }).code == 2);
}

TEST_CASE("report: the command that repeats a run holds what was chosen, quoted for a shell") {
  TrainOptions o;
  o.preset = "cifar";
  o.lr = 0.002;
  o.data = "a b's";
  o.shuffle = false;
  o.active_only = true;
  o.out = "runs/x";
  Header header;
  for (const Field& field : train_fields(o)) header.options[field.name] = field.get();
  CHECK(repeat_command(header) ==
        "hydravit train --preset cifar --data 'a b'\\''s' --shuffle off --lr 0.002 --active-only --seed 0");
}

TEST_CASE("report: what is missing is said in its place") {
  const TinyRun run;
  fs::remove(run.folder + "/events.jsonl");
  fs::remove(run.folder + "/predictions.csv");
  std::string page = run.report();
  CHECK(unbalanced(page) == "");
  CHECK(page.find("events.jsonl: is not there") != std::string::npos);
  CHECK(page.find("On the first 24 test images, evaluated for this report") != std::string::npos);
  CHECK(count(page, "<img ") >= 24);

  fs::rename(run.dir / "data", run.dir / "moved");
  page = run.report();
  CHECK(unbalanced(page) == "");
  CHECK(page.find("No images: ") != std::string::npos);
  CHECK(count(page, "<img ") == 0);
  CHECK(page.find("Test accuracy against parameters") != std::string::npos);

  fs::rename(run.dir / "moved", run.dir / "data");
  fs::remove(run.dir / "data/test/plain/0.png");
  page = run.report();
  CHECK(page.find("not the test images of the run: checksum ") != std::string::npos);

  fs::remove(run.folder + "/last.ckpt");
  fs::remove(run.folder + "/prev.ckpt");
  page = run.report();
  CHECK(unbalanced(page) == "");
  CHECK(page.find("last.ckpt: is not there") != std::string::npos);
  fs::remove(run.folder + "/summary.csv");
  CHECK(error_of([&] { run.report(); }).has("holds neither a checkpoint nor summary.csv"));
  CHECK(error_of([&] { read_run(run.dir / "none"); }).has("is not a run folder"));
}

TEST_CASE("report: hostile files are refused by line, and cost their section alone") {
  const TempDir dir;
  const std::string csv = dir / "summary.csv", events = dir / "events.jsonl";
  const auto table_error = [&](const std::string& text) {
    write_text(csv, text);
    return error_of([&] { read_table(csv); }).text;
  };
  CHECK(table_error("a,b\n1,2\n3\n") == csv + ": line 3: 1 values, expected 2");
  CHECK(table_error("a,b\n1,<b>\n") == csv + ": line 2: '<b>' is not a number");
  CHECK(table_error("") == csv + ": holds no rows yet");
  CHECK(table_error(std::string(5000, ',')) == csv + ": line 1: 5001 columns, expected at most 1000");
  CHECK(table_error("a\nnan\n\n1e400\n").find("line 4: '1e400' is not a number") != std::string::npos);
  CHECK(error_of([&] { read_table(dir.path()); }).code == 3);
  write_text(csv, "step,top1_heads1\n1,nan\n");
  CHECK(std::isnan(read_table(csv).columns[1][0]));

  const auto events_error = [&](const std::string& text) {
    write_text(events, text);
    return error_of([&] { read_events(events); }).text;
  };
  CHECK(events_error("{\"event\":\"log\",\"step\":1}\n{\"eve") == "no error");  // a killed process
  CHECK(events_error("{\"event\":\"log\",\"step\":1}\n{\"eve\n") == events + ": line 2: not a JSON object");
  CHECK(events_error("[1]\n") == events + ": line 1: not a JSON object");
  CHECK(events_error("{\"event\":\"log\"}\n") == events + ": line 1: expected an event with its step");
  CHECK(events_error("{\"event\":{},\"step\":-1}\n") == events + ": line 1: expected an event with its step");
  CHECK(events_error("{\"a\":" + std::string(100000, '[') + "\n").find("not a JSON object") != std::string::npos);
  CHECK(events_error("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}\n").find("at most 16 levels") !=
        std::string::npos);
  CHECK(events_error("{\"event\":\"log\",\"step\":1e999}\n") == events + ": line 1: not a JSON object");
  CHECK(events_error(std::string("{\"event\":\"log\",\"step\":1}\0 more\n", 31)) == events + ": line 1: not a JSON object");
  write_text(
      events,
      "{\"event\":\"start\",\"step\":0,\"widths\":[{\"label\":\"heads=1\",\"heads\":1},{\"label\":\"heads=2\",\"heads\":2}]}\n"
      "{\"event\":\"log\",\"step\":1,\"loss\":\"x\",\"widths\":[{\"heads\":1,\"drawn\":1e18},{\"heads\":2,\"drawn\":3},7]}\n"
      "{\"event\":\"log\",\"step\":2,\"widths\":[{\"heads\":3,\"drawn\":1}]}\n");
  const RunEvents::Log log = read_events(events).logs.at(0);
  CHECK(std::isnan(log.loss));
  CHECK(log.drawn == std::map<std::string, int64_t>{{"heads=2", 3}});
  CHECK(read_events(events).logs.at(1).drawn.empty());  // no subnetwork of this run
  const auto flat = flat_json("{\"a\":[{\"b\":1.5},null],\"c\":\"<\",\"d\":[]}");
  CHECK(flat == std::map<std::string, std::string>{{"/a/0/b", "1.5"}, {"/c", "<"}});

  // Class numbers that point outside.
  Table predictions = parse_table("label,predicted_heads3\n0,1\n1,7\n", "p");
  CHECK(error_of([&] {
          confusion(predictions, {"heads3", "heads=3", 2, {}}, 2);
        }).text == "predictions.csv: row 2: class 1 taken for 7, expected classes 0 to 1");
  CHECK(error_of([&] {
          confusion(predictions, {"heads4", "heads=4", 3, {}}, 2);
        }).text == "predictions.csv: has no columns label and predicted_heads4");

  // Work and memory grow with the images, not with the square of the classes.
  predictions = parse_table("label,predicted_heads3\n0,999999\n7,7\n0,999999\n5,2\n", "p");
  const Confusion sparse = confusion(predictions, {"heads3", "heads=3", 2, {}}, 1'000'000);
  CHECK(sparse.cells.size() == 3);
  REQUIRE(sparse.pairs.size() == 2);
  CHECK(sparse.pairs[0].predicted == 999'999);
  CHECK(sparse.pairs[0].count == 2);
  CHECK(svg(sparse, {}, "none").empty());

  const TinyRun run;
  write_text(run.folder + "/events.jsonl", "{\"event\":\"log\",\"step\":1,\"widths\":[{\"heads\":999,\"drawn\":1}]}\n<img>\n");
  write_text(run.folder + "/predictions.csv", "index,label,predicted_heads3,loss_heads3,confidence_heads3\n0,99,-5,nan,2\n");
  const std::string page = run.report();
  CHECK(unbalanced(page) == "");
  CHECK(page.find("events.jsonl: line 2: not a JSON object") != std::string::npos);
  CHECK(page.find("class 99 taken for -5, expected classes 0 to 1") != std::string::npos);
  CHECK(page.find("Test accuracy against parameters") != std::string::npos);
}

TEST_CASE("report: a place that cannot be written is an error that names it") {
  const TinyRun run;
  write_text(run.folder + "/report", "a file in the way");
  const fixtures::Caught caught = error_of([&] { run.report(); });
  CHECK(caught.code == 1);
  CHECK(caught.has(run.folder + "/report: cannot make folder: "));
  fs::remove(run.folder + "/report");
  CHECK(error_of([&] { run.report({"", {}, run.dir / "none/page.html", {}}); }).has("none/page.html: cannot create: "));
}
