// The command predict with files, folders and lists, valid and invalid.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "tests/predict_fixtures.h"
#include "train/explain/explain.h"

using namespace hv;
using namespace hv::fixtures;

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string slurp(const std::string& path) {
  const std::vector<uint8_t> bytes = fixtures::read_bytes(path);
  return {bytes.begin(), bytes.end()};
}

struct Result {
  int code;
  std::string out, err;
  bool says(const std::string& text) const { return err.find(text) != std::string::npos; }
};

// The program in a folder with a checkpoint "m" (trained for heads 2 to 5 of 2 to 6) and pictures 0.png to 2.png.
class Program {
 public:
  Program() : model(make_nano(folder / "m", "2-5")) {
    for (int i = 0; i < 3; ++i) write_shape(folder / (std::to_string(i) + ".png"), i);
  }
  static const char* binary() { return std::getenv("HYDRAVIT_BINARY"); }
  Result operator()(const std::string& arguments, const std::string& input = "") const {
    fixtures::write_text(folder / "in", input);
    const std::string command = concat("cd '", folder.path(), "' && XDG_CACHE_HOME='", folder / "cache", "' '",
                                       fs::absolute(binary()).string(), "' predict ", arguments, " --threads 1 <in >out 2>err");
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, slurp(folder / "out"), slurp(folder / "err")};
  }
  void refuses(const std::string& arguments, const std::string& text, int code = 2) const {
    const Result result = (*this)(arguments);
    CHECK(result.code == code);
    CHECK(result.err == "hydravit: " + text + "\n");
    CHECK(result.out.empty());
  }
  TempDir folder;
  std::unique_ptr<models::ElasticModel> model;
};

}  // namespace

TEST_CASE("predict: the program predicts what it can, says what it cannot, and chooses widths") {
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program program;
  const TempDir& folder = program.folder;
  fixtures::write_text(folder / "1.png", "damaged");
  const Result some = program("m 0.png 1.png nowhere.png 2.png --json");
  CHECK(some.code == 3);
  CHECK(some.err ==
        "1.png: neither a PNG nor a JPEG, WebP, GIF or BMP picture (by its first bytes): convert it to one of them\n"
        "nowhere.png: cannot open: No such file or directory\n"
        "hydravit: predict: 2 of 4 pictures could not be read, the first is 1.png; the others are done\n");
  const Json json = Json::parse(some.out);
  REQUIRE(json["results"].size() == 2);
  CHECK(json["results"][1]["image"] == "2.png");
  CHECK(json["results"][1]["heads"] == 5);  // the widest it was trained for
  CHECK(json["errors"].size() == 2);
  const Result none = program("m 1.png");
  CHECK(none.code == 3);
  CHECK(none.says("hydravit: predict: 1 of 1 pictures could not be read, the first is 1.png\n"));
  CHECK(none.out.empty());

  // A list of more pictures than a batch: all are predicted in order, and the same picture has the same result at every place.
  std::string list;
  for (int i = 0; i < 150; ++i) list += i % 2 == 0 ? "0.png\n" : "2.png\n";
  const Result listed = program("m - --format csv --topk 1 --out listed.csv", list);
  CHECK(listed.code == 0);
  CHECK(listed.out.empty());
  const auto rows = parse_csv(slurp(folder / "listed.csv"));
  REQUIRE(rows.size() == 151);
  for (size_t i = 1; i <= 150; ++i) {
    CHECK(rows[i][0] == (i % 2 == 1 ? "0.png" : "2.png"));
    CHECK(rows[i][3] == rows[i % 2 == 1 ? 1 : 2][3]);
    CHECK(std::stod(rows[i][4]) == doctest::Approx(std::stod(rows[i % 2 == 1 ? 1 : 2][4])).epsilon(1e-4));
  }

  const Result every = program("m 0.png --heads all");
  CHECK(every.out.starts_with("image  heads=2"));
  CHECK(every.out.find("heads=5\n0.png") != std::string::npos);
  const std::vector<models::Subnet>& widths = program.model->subnets();
  for (size_t i = 0; i < 4; ++i) {
    const Result fits = program(concat("m 0.png --budget-macs ", program.model->macs(widths[i])));
    CHECK(fits.out.starts_with("0.png  " + widths[i].label + " "));
  }
  CHECK(program("m 0.png --budget-macs 1G").out.starts_with("0.png  heads=5 "));  // of those it was trained for
  program.refuses("m 0.png --budget-macs 1k",
                  concat("--budget-macs: 1000 MACs is not enough for the narrowest, heads=2, which takes ",
                         program.model->macs(widths[0]), " MACs an image; give at least that"));
  const Result quick = program("m 0.png --budget-ms 1e6");
  CHECK(quick.out.starts_with("0.png  heads=5 "));
  CHECK(quick.says("--budget-ms 1e6: heads=5; measured, one image at a time, 1 thread: heads=2 "));
  CHECK(program("m 0.png --budget-ms 1e6").says("--budget-ms 1e6: heads=5; from the cache, one image at a time, 1 thread: "));
  const Result slow = program("m 0.png --budget-ms 0.0001");
  CHECK(slow.code == 2);
  CHECK(slow.says("--budget-ms: 0.0001 ms is not enough for the narrowest, heads=2, which takes "));

  program.refuses("m 0.png --heads 3 --budget-macs 5M",
                  "--heads and --budget-macs: both choose the width; give one of the two");
  program.refuses("m 0.png --budget-ms 3 --budget-macs 5M",
                  "--budget-macs and --budget-ms: both choose the width; give one of the two");
  program.refuses("m 0.png --budget-ms fast", "--budget-ms: 'fast' is no amount above 0; write it as 5e6, 800k, 12M or 1.5G");
  program.refuses("m 0.png --json --format csv", "--json and --format csv: give one of the two");
  program.refuses("m 0.png --format xml", "--format: 'xml' is unknown; choose table, csv, json or jsonl");
  program.refuses("m 0.png --out .", "--out: . is a folder or a device; name a file");
  program.refuses("m 0.png --out /dev/null", "--out: /dev/null is a folder or a device; name a file");
  program.refuses("m 0.png --out ./0.png", "--out: ./0.png is one of the pictures to look at; name another file");
  program.refuses("m 0.png --out nowhere/a.csv", "nowhere/a.csv: cannot create: No such file or directory", 1);
  CHECK(data::load_image(folder / "0.png").chw == shape_image(0).chw);

  // A typing error must not destroy a training: no checkpoint is overwritten, neither this one, nor another, nor behind a link.
  fs::copy_file(folder / "m", folder / "best.ckpt");
  fs::create_symlink("best.ckpt", folder / "link");
  for (const std::string target : {"m", "./best.ckpt", "link"}) {
    program.refuses("m 0.png --out " + target,
                    "--out: " + target + " holds a checkpoint; name another file, or replace it with --force");
  }
  CHECK(slurp(folder / "best.ckpt") == slurp(folder / "m"));
  CHECK(fs::is_symlink(folder / "link"));
  fixtures::write_text(folder / "old.csv", "HYDRA");  // shorter than a checkpoint's beginning
  program.refuses("m 0.png --out old.csv",
                  "--out: old.csv is there already and is no result of predict; name another file, or replace it with --force");
  CHECK(program("m 0.png --out old.csv --force").code == 0);
  CHECK(program("m 0.png --out old.csv").code == 0);                             // a table of the same picture
  CHECK(program("m 0.png --format jsonl --heads all --out old.csv").code == 0);  // another result
  CHECK(program("m 0.png --format csv --out old.csv").code == 0);
}

TEST_CASE("predict: the program draws what each width pays attention to") {
  if (!Program::binary()) return;
  const Program program;
  const TempDir& folder = program.folder;
  fixtures::write_text(folder / "1.png", "damaged");
  const Result drawn = program("m 0.png 1.png 2.png --heads all --explain e.png");
  CHECK(drawn.code == 3);
  CHECK(drawn.says("e.png: a row a picture; columns: the picture, heads=2, heads=3, heads=4, heads=5: where the "));
  CHECK(drawn.out.find("2.png") != std::string::npos);
  const data::Image picture = data::load_image(folder / "e.png");
  CHECK(picture.width == 5 * (192 + 8) + 8);                     // the original and 4 widths
  CHECK(picture.height == 2 * (192 + 2 * 24 + 8) + 8 + 2 * 24);  // 2 rows with 2 lines of caption each, and the key
  const auto cell = [&](int64_t row, int64_t column) {
    std::vector<uint8_t> bytes;
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t y = 0; y < 192; ++y) {
        const auto begin = picture.chw.begin() + (c * picture.height + 8 + row * 248 + y) * picture.width + 8 + column * 200;
        bytes.insert(bytes.end(), begin, begin + 192);
      }
    }
    return bytes;
  };
  CHECK(cell(0, 0) == train::enlarge(shape_image(0), 192).chw);
  CHECK(cell(1, 0) == train::enlarge(shape_image(2), 192).chw);
  for (int64_t column = 1; column < 5; ++column) {
    CHECK(cell(0, column) != cell(0, column - 1));  // the widths look at different places
    CHECK(cell(0, column) != cell(1, column));
  }
  const Result alone = program("m 0.png --explain one.png");
  CHECK(alone.code == 0);
  CHECK(alone.says("one.png: a row a picture; columns: the picture, heads=5: where "));
  CHECK(data::load_image(folder / "one.png").width == 2 * 200 + 8);

  const Result labels = program("m 0.png --heads 2,5 --labels circle,square --explain labels.png");
  CHECK(labels.code == 0);
  CHECK(labels.out == program("m 0.png --heads 2,5").out);
  CHECK(labels.says("labels.png: a row per picture and width; columns: the picture, where the attention of all blocks"));
  const data::Image shown = data::load_image(folder / "labels.png");
  CHECK((shown.width == 4 * 200 + 8 && shown.height > 2 * 200));
  program.refuses("m 0.png --labels circle", "--labels: only --explain draws labels; give it, too");
  CHECK(program("m 0.png --labels cirle --explain e.png").says("did you mean circle?"));
  const Result much = program("m 0.png --labels circle --explain e.png --memory 1M");
  CHECK((much.code == 3 && much.says("m: one image at heads=5 needs ") && much.says(" of memory, there are 1 MB;")));
  program.refuses("m 0.png --explain e.jpg", "--explain: 'e.jpg' does not end in .png; a PNG is what is written");
  fs::copy_file(folder / "m", folder / "m.png");
  program.refuses("m 0.png --explain m.png",
                  "--explain: m.png holds a checkpoint; name another file, or replace it with --force");
  program.refuses("m 0.png --explain 0.png", "--explain: 0.png is one of the pictures to look at; name another file");
  program.refuses("m 0.png --explain e.png --out e.png", "--out and --explain: e.png can hold only one of the two");
  std::string many;
  for (int i = 0; i < 33; ++i) many += " 0.png";
  program.refuses("m --explain e.png" + many, "--explain: 33 pictures; at most 32 fit into one PNG: name fewer");
  program.refuses("m 0.png 1.png 2.png 0.png 0.png 0.png 0.png 0.png 0.png --heads all --labels circle --explain e.png",
                  "--explain: 9 pictures at 4 widths; at most 32 rows fit into one PNG: name fewer");
}

TEST_CASE("program: --heads takes the same words in every command that has it") {
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program program;
  fs::create_directories(program.folder / "r");
  make_nano(program.folder / "r/last.ckpt", "2-5");
  write_bytes(program.folder / "data/data_batch_1.bin", make_records(4, 1, 10));
  write_bytes(program.folder / "data/test_batch.bin", make_records(4, 1, 10));
  const auto run = [&](const std::string& command, const std::string& heads) {
    const std::string line = concat("cd '", program.folder.path(), "' && '", fs::absolute(Program::binary()).string(), "' ",
                                    command, " --heads '", heads, "' </dev/null >out 2>err");
    return WEXITSTATUS(std::system(line.c_str()));
  };
  fixtures::write_text(program.folder / "r/summary.csv", "step,top1_heads2\n1,10\n");
  REQUIRE(std::system(concat("cd '", program.folder.path(), "' && '", fs::absolute(Program::binary()).string(),
                             "' export m --heads 3 --out f.st >out")
                          .c_str()) == 0);
  const std::string commands[] = {"eval m --data data",
                                  "predict m 0.png",
                                  "export m --out e.st",
                                  "export m --out e.onnx --format onnx",
                                  "info m",
                                  "report r",
                                  "import f.st --out i.ckpt",
                                  "bench --preset nano --mode infer --steps 1 --batch-size 1",
                                  "train --data data --batch-size 4 --steps 1 --stop-after 1 --report off --out",
                                  "lr-find --data data --batch-size 4 --steps 20"};
  for (std::string command : commands) {
    const bool train = command.starts_with("train"), import = command.starts_with("import");
    for (const char* heads : {"all", "3-4", "2,4-5", "4"}) {
      if (import && std::string(heads) == "2,4-5") continue;  // a model has no gap
      CAPTURE(command);
      CAPTURE(heads);
      CHECK(run(train ? concat(command, " t", heads) : command, heads) == 0);
    }
    CHECK(run(train ? command + " t" : command, "some") == 2);
    CHECK(slurp(program.folder / "err").find("--heads: 'some' is no list of heads; write 3-8, 3,5,8 or all") !=
          std::string::npos);
  }
}
