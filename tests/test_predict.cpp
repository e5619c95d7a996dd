// The parts of predict: finding pictures, budgets, probabilities, output formats.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/ops.h"
#include "models/hydravit.h"
#include "tests/predict_fixtures.h"
#include "train/predict/budget.h"
#include "train/predict/predict.h"
#include "train/predict/predict_format.h"

using namespace hv;
using namespace hv::fixtures;
using namespace hv::train;

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<std::string> names(const std::vector<ImagePath>& images, const std::string& root) {
  std::vector<std::string> result;
  for (const ImagePath& image : images)
    result.push_back(image.path.substr(root.size() + 1) + (image.problem.empty() ? "" : "!"));
  return result;
}

}  // namespace

TEST_CASE("predict: pictures are found in folders, by name or first bytes, in order; nothing is left out in silence") {
  const TempDir dir;
  const std::string root = dir.path();
  for (const char* name : {"b.png", "a.JPG", "sub/deeper/z.jpeg", "sub/a.png", ".hidden.png", ".git/x.png"})
    write_shape(dir / name, 0);
  fs::rename(dir / "sub/a.png", dir / "sub/no_ending");
  fixtures::write_text(dir / "notes.txt", "no picture");
  fixtures::write_text(dir / "c.png", "no picture either, but it says it is one");
  fs::create_directories(dir / "empty");
  fs::create_directory_symlink(root, dir / "sub/round");
  std::istringstream list(root + "/b.png\r\n\n" + root + "/sub\nnowhere\n");
  CHECK(names(find_images({root}, list), root) ==
        std::vector<std::string>{"a.JPG", "b.png", "c.png", "sub/deeper/z.jpeg", "sub/no_ending"});
  CHECK(names(find_images({dir / "notes.txt", dir / "sub", dir / "empty"}, list), root) ==
        std::vector<std::string>{"notes.txt", "sub/deeper/z.jpeg", "sub/no_ending", "empty!"});
  CHECK(find_images({dir / "empty"}, list)[0].problem == root + "/empty: no pictures in this folder: check the path");
  data::LeftOut left_out;
  find_images({root}, list, &left_out);
  CHECK(left_out.notes("x") ==
        std::vector<std::string>{"x: left out: 1 files that are no pictures; the first: " + root + "/notes.txt",
                                 "x: left out: 1 links to folders; the first: " + root + "/sub/round"});
  const std::vector<ImagePath> listed = find_images({dir / "a.JPG", "-"}, list);
  REQUIRE(listed.size() == 5);
  CHECK(listed[0].path == root + "/a.JPG");
  CHECK(listed[1].path == root + "/b.png");
  CHECK(listed[3].path == root + "/sub/no_ending");
  CHECK(listed[4].path == "nowhere");

  std::istringstream empty("\n\n"), binary(std::string("a.png\n\x89PNG\0\0", 12)), endless(std::string(1 << 17, 'a'));
  CHECK(error_of([&] { find_images({"-"}, empty); }).text == "standard input: names no pictures: expected paths, one a line");
  CHECK(error_of([&] { find_images({"-"}, binary); }).text ==
        "standard input: line 2: not a path: expected the paths of pictures, one a line");
  CHECK(error_of([&] { find_images({"-"}, endless); }).code == 3);
  CHECK(endless.tellg() < (1 << 16) + 16);  // the rest is not read
  REQUIRE(::mkfifo((dir / "pipe.png").c_str(), 0600) == 0);
  const auto model = make_nano();
  Predictor predictor(*model, shapes_header(*model), {model->subnets().back()}, 1, false);
  CHECK(predictor.look(find_images({dir / "pipe.png"}, list)).at(0).problem ==
        (dir / "pipe.png") + ": not a regular file: name a file");
  CHECK(error_of([&] { find_images({"-", "-"}, list); }).text == "-: given twice; standard input can be read once");
}

TEST_CASE("predict: budgets are read in each form, and give the widest that fits") {
  CHECK(parse_amount("--b", "5e6") == 5e6);
  CHECK(parse_amount("--b", "800k") == 8e5);
  CHECK(parse_amount("--b", "12M") == 12e6);
  CHECK(parse_amount("--b", "1.5G") == 1.5e9);
  for (const char* bad : {"", "M", "12m", "12 M", "12MM", "0", "-3", "nan", "inf", "1e999", "5e6x"}) {
    CHECK(error_of([&] { parse_amount("--budget-macs", bad); }).text ==
          concat("--budget-macs: '", bad, "' is no amount above 0; write it as 5e6, 800k, 12M or 1.5G"));
  }
  const auto model = make_nano();
  const std::vector<models::Subnet>& widths = model->subnets();
  const auto print = [](double macs) { return concat(static_cast<int64_t>(macs), " MACs"); };
  std::vector<int64_t> asked;
  const auto macs = [&](const models::Subnet& width) {
    return asked.push_back(static_cast<int64_t>(width.axes[0].value)), static_cast<double>(model->macs(width));
  };
  for (size_t i = 0; i < widths.size(); ++i) {
    const auto own = static_cast<double>(model->macs(widths[i]));
    asked.clear();
    CHECK(widest_within("--budget-macs", own, widths, macs, print).id == widths[i].id);
    CHECK(asked.size() == std::min(i + 2, widths.size()));  // stops at the first width that is too wide
    if (i > 0) CHECK(widest_within("--budget-macs", own - 1, widths, macs, print).id == widths[i - 1].id);
  }
  CHECK(error_of([&] { widest_within("--budget-macs", 1000, widths, macs, print); }).text ==
        concat("--budget-macs: 1000 MACs is not enough for the narrowest, heads=2, which takes ", model->macs(widths[0]),
               " MACs an image; give at least that"));
  CHECK(measure_ms(*model, widths[0]) > 0);
}

TEST_CASE("predict: probabilities are the model's own, whatever else is in the batch") {
  const TempDir dir;
  const auto model = make_nano();
  const Header header = shapes_header(*model);
  std::vector<ImagePath> images;
  for (int i = 0; i < 5; ++i) {
    images.push_back({dir / (std::to_string(i) + ".png"), ""});
    write_shape(images.back().path, i);
  }
  fixtures::write_text(dir / "2.png", "not a picture");
  images[3].problem = "known before";
  data::Image tall{64, 48, std::vector<uint8_t>(3 * 64 * 48)};
  for (size_t i = 0; i < tall.chw.size(); ++i) tall.chw[i] = static_cast<uint8_t>(i % 251);
  data::write_png(dir / "4.png", tall);

  const std::vector<models::Subnet> widths = {model->subnets()[0], model->subnets()[4]};
  Predictor predictor(*model, header, widths, 3, true);
  const std::vector<Outcome> outcomes = predictor.look(images);
  REQUIRE(outcomes.size() == 5);
  CHECK(outcomes[2].problem.find("2.png: neither a PNG nor a JPEG, WebP, GIF or BMP picture") != std::string::npos);
  CHECK(outcomes[3].problem == "known before");
  const NoGrad off;
  for (const size_t i : {size_t{0}, size_t{1}, size_t{4}}) {
    CHECK(outcomes[i].problem.empty());
    CHECK(outcomes[i].image == images[i].path);
    REQUIRE(outcomes[i].predictions.size() == 2);
    const data::Image square = i == 4 ? data::resize_and_crop(tall, 32) : shape_image(static_cast<int64_t>(i));
    const Tensor input = Tensor::empty({1, 3, 32, 32});
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t j = 0; j < 1024; ++j) {
        const double value = square.chw[static_cast<size_t>(c * 1024 + j)] / 255.0;
        input.mutable_data()[c * 1024 + j] = static_cast<Real>((value - header.mean[size_t(c)]) / header.std[size_t(c)]);
      }
    }
    for (size_t w = 0; w < 2; ++w) {
      const std::vector<double> expected = softmax(model->forward(input, widths[w])).to_vector();
      const auto& classes = outcomes[i].predictions[w].classes;
      CHECK(outcomes[i].predictions[w].subnet.id == widths[w].id);
      REQUIRE(classes.size() == 3);
      for (size_t k = 0; k < 3; ++k) {
        const auto at =
            std::find(header.class_names.begin(), header.class_names.end(), classes[k].first) - header.class_names.begin();
        CHECK(classes[k].second == doctest::Approx(expected[static_cast<size_t>(at)]).epsilon(1e-4));
        const auto larger = std::count_if(expected.begin(), expected.end(), [&](double p) { return p > expected[size_t(at)]; });
        CHECK(static_cast<size_t>(larger) == k);
      }
      const Heat alone = heat_of(model->rollout(input, widths[w]), 0);
      REQUIRE(outcomes[i].heat[w].values.size() == 64);
      for (size_t k = 0; k < 64; ++k) CHECK(outcomes[i].heat[w].values[k] == doctest::Approx(alone.values[k]).epsilon(1e-4));
    }
  }
  // A small picture is enlarged to squares of 6 x 6 per pixel; a larger one keeps its pixels.
  CHECK(outcomes[0].shown.chw == enlarge(shape_image(0), 192).chw);
  CHECK(outcomes[4].shown.chw == data::resize_and_crop(tall, 192).chw);

  const auto broken = make_nano();
  broken->parameters()[0].value.fill_(std::numeric_limits<double>::quiet_NaN());
  CHECK(error_of([&] { Predictor(*broken, header, widths, 3, false).look(images); }).text ==
        "predict: heads=2: the probabilities are no numbers: the checkpoint's weights are unusable");
  const auto mlp = models::make_model(models::named_model("mlp", 10), 0);
  CHECK_NOTHROW(Predictor(*mlp, header, {mlp->subnets()[0]}, 3, false));
  CHECK(error_of([&] { Predictor(*mlp, header, {mlp->subnets()[0]}, 3, true); }).text ==
        "--explain: this model has no attention to show; a vision transformer does (train --preset nano)");
}

namespace {

std::vector<models::Subnet> two_and_three() {
  models::HydraViTConfig config = models::preset("nano");
  config.heads_min = 2;
  config.heads = 3;
  return models::subnets_of(config);
}

}  // namespace

TEST_CASE("predict: an explanation has one scale of colours a row, and no row for what could not be read") {
  const data::Image grey{192, 192, std::vector<uint8_t>(3 * 192 * 192, 100)};
  const std::vector<models::Subnet> widths = two_and_three();
  const Heat mixed{1, 2, {1, 3}}, even{1, 2, {3, 3}};
  const Outcome good{"dir/a.png", "", {{"", widths[0], {{"cat", 0.75}}}, {"", widths[1], {{"dog", 0.5}}}}, grey, {mixed, even}};
  const data::Image picture = explanation({good, {"gone", "gone: not there", {}, {}, {}}}, widths);
  CHECK(picture.height == explanation({good}, widths).height);
  CHECK(picture.width == 3 * 200 + 8);
  const auto pixel = [&](int64_t x) { return picture.chw[static_cast<size_t>(100 * picture.width + x)]; };
  CHECK(pixel(8 + 96) == 100);
  CHECK(pixel(208 + 2) == overlay(grey, mixed).chw[2]);
  CHECK(pixel(408 + 2) == overlay(grey, even, 1, 3).chw[2]);  // as hot as the hottest beside it
  CHECK(pixel(408 + 2) == pixel(208 + 190));
  CHECK(pixel(408 + 2) != pixel(208 + 2));
}

TEST_CASE("predict: tables, CSV, JSON and JSON lines of the same outcomes, with names that try to break them") {
  const std::vector<models::Subnet> widths = two_and_three();
  const std::string evil = "a,\"b\"\n\x1b[2J.png", accent = "caf\xc3\xa9.png", broken = "\xff.png";
  const auto outcome = [&](const std::string& image) {
    return Outcome{
        image,
        "",
        {{image, widths[0], {{"cat, big", 0.75}, {"dog", 0.25}}}, {image, widths[1], {{"dog", 0.5}, {"cat, big", 0.5}}}},
        {},
        {}};
  };
  const std::vector<Outcome> outcomes = {
      outcome(evil), {"gone", "gone: not there", {}, {}, {}}, outcome(accent), outcome(broken)};
  const std::vector<ImagePath> images = {{evil, ""}, {"gone", ""}, {accent, ""}, {broken, ""}};
  const auto written = [&](const std::string& name, const std::vector<models::Subnet>& columns) {
    const auto format = make_predict_format(name, columns, {"cat, big", "dog"}, images);
    std::string text = format->begin();
    for (const Outcome& one : outcomes) text += format->add(one);
    return text + format->end();
  };
  CHECK(written("table", widths) ==
        "image           heads=2          heads=3\n"
        "a,\"b\"  [2J.png  cat, big 75.0%   dog 50.0%\n"
        "caf\xc3\xa9.png        cat, big 75.0%   dog 50.0%\n"
        "\xff.png           cat, big 75.0%   dog 50.0%\n");
  CHECK(written("table", {widths[0]}).starts_with("a,\"b\"  [2J.png  heads=2   cat, big 75.0%  dog 25.0%\n"));

  const auto rows = parse_csv(written("csv", widths));
  REQUIRE(rows.size() == 1 + 3 * 4);
  CHECK(rows[0] == std::vector<std::string>{"image", "heads", "rank", "class", "probability"});
  CHECK(rows[1] == std::vector<std::string>{evil, "2", "1", "cat, big", "0.75"});
  CHECK(rows[4] == std::vector<std::string>{evil, "3", "2", "cat, big", "0.5"});
  CHECK(rows[9][0] == broken);
  CHECK(csv_field("plain name.png") == "plain name.png");
  CHECK(csv_field("a\rb") == "\"a\rb\"");

  const Json json = Json::parse(written("json", widths));
  REQUIRE(json["results"].size() == 6);
  CHECK(json["results"][1]["image"] == evil);
  CHECK(json["results"][1]["heads"] == 3);
  CHECK(json["results"][0]["classes"] ==
        Json::parse(R"([{"class":"cat, big","probability":0.75},{"class":"dog","probability":0.25}])"));
  CHECK(json["results"][4]["image"] == "\xef\xbf\xbd.png");  // JSON is UTF-8
  CHECK(json["errors"] == Json::parse(R"([{"image":"gone","error":"gone: not there"}])"));

  std::istringstream lines(written("jsonl", widths));
  std::vector<Json> records;
  for (std::string line; std::getline(lines, line);) records.push_back(Json::parse(line));
  REQUIRE(records.size() == 7);
  CHECK(records[0] == json["results"][0]);
  CHECK(records[2] == json["errors"][0]);
  CHECK(records[3] == json["results"][2]);
}
