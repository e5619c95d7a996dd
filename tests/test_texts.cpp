// Texts from outside on their way in and out: what reaches a terminal, a table, JSON; texts that look like something else;
// texts without end.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "models/hydravit.h"
#include "tests/data_fixtures.h"
#include "tests/program.h"
#include "train/draw/html.h"
#include "train/exchange/timm_safetensors.h"
#include "train/io/json.h"
#include "train/io/printable.h"
#include "train/options.h"
#include "train/predict/predict_format.h"
#include "train/runs/run_data.h"
#include "train/state/load.h"

using namespace hv;
using namespace hv::train;
using namespace hv::program_fixtures;
using fixtures::error_of;

namespace {

using Parsed = nlohmann::json;

// An escape sequence, a control character of two bytes and one of a single byte, a mark that reverses what follows.
const std::string kEvil = "a\033[31m\xC2\x9B\x9B\xE2\x80\xAEz";
constexpr const char* kShown = "a [31m   z";

// The program's options for a training of a moment.
constexpr const char* kShort = "train --preset mlp --batch-size 16 --steps 1 --train-limit 64 --eval-limit 16 --report off ";

// A header for a tiny HydraViT, with its weights at 0.
Header header_of(const models::HydraViTConfig& config, std::vector<NamedTensor>& tensors) {
  Header header;
  header.model = models::to_config(config);
  for (int64_t i = 0; i < config.classes; ++i) header.class_names.push_back(std::to_string(i));
  header.mean = header.std = {0.5, 0.5, 0.5};
  for (const TimmShape& timm : timm_shapes(*models::plain_vit(header.model)))
    tensors.push_back({"model." + timm.name, Tensor::zeros(timm.shape)});
  return header;
}

models::HydraViTConfig tiny() {
  models::HydraViTConfig config;
  config.patch = 16;
  config.depth = 1;
  config.head_dim = 8;
  config.heads_min = config.heads = 1;
  config.classes = 2;
  return config;
}

}  // namespace

TEST_CASE("texts: no control character and no mark of direction goes out, letters stay") {
  for (const std::string bad :
       {"\x01", "\n", "\x7F", "\xC2\x80", "\xC2\x9F", "\x80", "\x9B", "\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F",
        "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAA", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9"}) {
    CHECK(printable("<" + bad + ">") == "< >");
    CHECK(escape("<" + bad + ">") == (bad == "\n" ? "&lt;\n&gt;" : "&lt;\xEF\xBF\xBD&gt;"));
  }
  // sharp s, an umlaut as one byte, a dash and a bullet beside the marks, two emoji, the first half of a letter
  const std::string good = "\xC3\x9F \xE4 \xE2\x80\x93 \xE2\x80\xA2 \xF0\x9F\x90\x99 \xF0\x9F\x9B\x9F \xC2";
  CHECK(printable(good) == good);
  CHECK(printable(kEvil) == kShown);
  CHECK(printable_lines("a\nb\033\n") == "a\nb \n");
  // JSON keeps the text and shows none of it as it is.
  const std::string json = Json{{"name", "\x7F\xC2\x9B\xE2\x80\xAE\xC3\x9F"}}.text();
  CHECK(json == "{\"name\":\"\\u007f\\u009b\\u202e\xC3\x9F\"}");
  CHECK(Parsed::parse(json)["name"] == "\x7F\xC2\x9B\xE2\x80\xAE\xC3\x9F");
}

TEST_CASE("texts: names of files and classes do not reach the terminal raw") {
  if (!Program::binary()) return;
  const Program program;
  data::Image image{8, 8, std::vector<uint8_t>(192, 90)};
  const std::string name =
      "set/\xE2\x80\xAE"
      "c";
  fs::create_directories(program / name);
  for (int i = 0; i < 5; ++i) data::write_png((program / name).string() + "/" + std::to_string(i) + ".png", image);
  const auto clean = [](const Result& result) {
    INFO(result.out, result.err);
    CHECK(printable_lines(result.out + result.err) == result.out + result.err);
    return result;
  };
  CHECK(contains(clean(program("data stats set")).out, "    0  c"));
  fixtures::write_text((program / name).string() + "/" + kEvil + ".png", "no picture");
  CHECK(contains(clean(program("data verify set")).out, std::string("BAD      set/ c/") + kShown + ".png"));
  check_refused(clean(program("train --steps 1 --preset mlp --data set")), 3,
                std::string("set/ c/") + kShown + ".png: neither");
  check_refused(clean(program("info '" + kEvil + "'")), 3, std::string(kShown) + ": cannot open");
  check_refused(clean(program("eval x --kind '" + kEvil + "'")), 2, std::string("--kind: '") + kShown + "' is unknown");
  // A checkpoint cannot hold such a text, so a run that could not be read again does not begin.
  check_refused(clean(program("train --steps 1 --preset mlp --out '" + kEvil + "'")), 2, "' holds control characters");
  check_refused(clean(program("train --steps 1 --preset mlp", "HYDRAVIT_DATA='" + kEvil + "'")), 2, "--data: '");
}

TEST_CASE("texts: cells that a spreadsheet would compute are texts, numbers stay numbers") {
  CHECK(csv_field("=1+2") == "\"'=1+2\"");
  CHECK(csv_field("@SUM(A1)") == "\"'@SUM(A1)\"");
  CHECK(csv_field("+cat") == "\"'+cat\"");
  CHECK(csv_field("-cat,\"x\"") == "\"'-cat,\"\"x\"\"\"");
  CHECK(csv_field("\t=1") == "\"'\t=1\"");
  CHECK(csv_field("-inf") == "\"'-inf\"");
  CHECK(csv_field("-1.5") == "-1.5");
  CHECK(csv_field("cat=1") == "cat=1");
}

TEST_CASE("texts: options keep their types in JSON, whatever they look like") {
  TrainOptions options;
  const Fields fields = train_fields(options);
  CHECK(typed({{"out", "inf"}, {"data", "007"}, {"init", "on"}, {"heads", "3"}, {"none", "1e5"}}, fields).text() ==
        R"({"data":"007","heads":"3","init":"on","none":"1e5","out":"inf"})");
  CHECK(typed({{"lr", "0.001"}, {"seed", "7"}, {"shuffle", "on"}, {"steps", "x"}, {"ema", "nan"}}, fields).text() ==
        R"({"ema":"nan","lr":0.001,"seed":7,"shuffle":true,"steps":"x"})");
  if (!Program::binary()) return;
  const Program program;
  REQUIRE(program(std::string(kShort) + "--data data --out inf").code == 0);
  CHECK(Parsed::parse(slurp(program / "inf/config.json"))["options"]["out"] == "inf");
  CHECK(Parsed::parse(slurp(program / "inf/config.json"))["options"]["steps"] == 1);
  CHECK(Parsed::parse(program("info inf --json").out)["options"]["out"] == "inf");
}

TEST_CASE("texts: a path in brackets, of plus signs or behind -- is one path") {
  if (!Program::binary()) return;
  const Program program;
  check_refused(program("report '[x,y]'"), 2, "[x,y]: is not a run folder");
  check_refused(program("report a '[x'"), 2, "a: is not a run folder");
  check_refused(program("report ++"), 2, "++: is not a run folder");
  check_refused(program("report -- -x"), 2, "-x: is not a run folder");
  check_refused(program("info '[x,y]'"), 3, "[x,y]: cannot open");
  check_refused(program("info a '[x,y]'"), 2, "unknown argument [x,y]");
  check_refused(program("train --steps 1 --data '[x,y]'"), 3, "[x,y]: no such directory");
  check_refused(program("train --steps 1 --data=[x,y]"), 3, "[x,y]: no such directory");
}

TEST_CASE("texts: files that a program cannot use are bad input, not failures") {
  const fixtures::TempDir dir;
  const std::string path = dir / "a.ckpt", timm = dir / "a.safetensors";
  models::HydraViTConfig config = tiny();
  std::vector<NamedTensor> tensors;
  Header header = header_of(config, tensors);
  save_checkpoint(path, header, tensors);
  TimmModel model = load_timm(path, 0, false);
  model.class_names[1] = std::string(5000, 'x');
  write_timm_safetensors(timm, model);
  fixtures::Caught caught = error_of([&] { read_timm_safetensors(timm, 0); });
  CHECK(caught.code == 3);
  CHECK(caught.has("a class name of 5000 bytes: expected 1 to 255 bytes"));

  // What a checkpoint cannot hold is refused before a run begins.
  header.class_names.assign(5000, std::string(250, 'x'));
  caught = error_of([&] { check_header(header, tensors); });
  CHECK(caught.code == 3);
  CHECK(caught.has("shorten the names of the 5000 classes"));

  config.channels = 64;
  tensors.clear();
  header = header_of(config, tensors);
  save_checkpoint(path, header, tensors);
  caught = error_of([&] { load_model(path, false); });
  CHECK(caught.code == 3);
  CHECK(caught.has("a model for images of 64 channels; the images here have 3"));
}

TEST_CASE("texts: a table, a log and a list of names of line ends alone need no more memory than the file") {
  const std::string ends(size_t{1} << 20, '\n');
  CHECK(parse_table("a\n" + ends + "1\n", "t").rows() == 1);
  const fixtures::TempDir dir;
  fixtures::write_text(dir / "events", "{\"event\":\"log\",\"step\":1}\n" + ends + "{\"event\":\"log\"");
  CHECK(read_events(dir / "events").logs.size() == 1);
  fixtures::write_text(dir / "events", "{\"a\":\"" + std::string(1 << 20, 'x') + "\"}\n");
  CHECK(read_events(dir / "events").skipped == 1);
  // A line of many small members: looked up one after another they would take minutes.
  std::string members = "{\"event\":\"log\",\"step\":1,\"x\":[1";
  for (int i = 0; i < 60000; ++i) members += ",1";
  fixtures::write_text(dir / "events", members + "]}\n");
  CHECK(read_events(dir / "events").logs.size() == 1);
#ifndef HV_ASAN  // which needs terabytes of addresses
  if (!Program::binary()) return;
  const Program program;
  fs::create_directories(program / "run");
  fixtures::write_text((program / "run/summary.csv").string(), "step\n" + std::string(size_t{32} << 20, '\n') + "1\n");
  fixtures::write_text((program / "run/events.jsonl").string(), std::string(size_t{32} << 20, '\n'));
  const Result page = program("report run", "ulimit -v 900000; OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1");  // KiB
  INFO(page.err);
  CHECK(page.code == 0);
#endif
}
