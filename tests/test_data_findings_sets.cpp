// Sets of pictures with several findings each: images, patients and names fit together, memory and threads change nothing, what
// verify and stats say, and NIH's real set.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/parallel.h"
#include "data/findings/findings.h"
#include "data/image.h"
#include "data/inspect.h"
#include "data/loader.h"
#include "tests/data_fixtures.h"
#include "tests/picture_fixtures.h"
#include "tests/program.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;
using Counts = std::vector<int64_t>;

// Twelve patients 1 to 12 with two pictures each, in a folder of its own; patient p has Mass, every third one Hernia too.
class Xrays : public TempDir {
 public:
  Xrays() {
    std::string table = "Image Index,Finding Labels,Patient ID,View Position\n";
    for (int p = 1; p <= 12; ++p) {
      for (int i = 0; i < 2; ++i) {
        const std::string name = concat(p, "_", i, ".png");
        picture(concat("deep/er", i, "/", name), p);
        table += concat(name, ",", i == 1 ? "No Finding" : p % 3 == 0 ? "Mass|Hernia" : "Mass", ",", p, ",PA\n");
      }
    }
    write_text(*this / "labels.csv", table);
  }
  void picture(const std::string& name, int seed, bool colour = false) const {
    Image image{20, 24, {}};
    for (int i = 0; i < 3 * 20 * 24; ++i) image.chw.push_back(static_cast<uint8_t>((i % (colour ? 1000 : 480)) * seed % 251));
    fs::create_directories(fs::path(*this / name).parent_path());
    write_png(*this / name, image);
  }
  Source source(int64_t side = 16) const { return {path(), "auto", side}; }
};

Counts patients_of(const Dataset& set) {
  std::set<int64_t> groups;
  for (int64_t i = 0; i < set.size(); ++i) groups.insert(set.group(i));
  return {groups.begin(), groups.end()};
}

}  // namespace

TEST_CASE("findings: a set is found by its table; images, targets, patients and names fit together") {
  const Xrays xrays;
  CHECK(resolve_kind(xrays.source()) == "findings");
  CHECK(looks_like_data(xrays.path()));
  CHECK(has_validation(xrays.source()));
  std::set<int64_t> seen;
  int64_t images = 0;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const DatasetPtr set = open(xrays.source(), split);
    CHECK(set->class_names() == Names{"Mass", "Hernia"});
    CHECK((set->scorer() == "findings" && set->default_augment() == "xray" && set->name() == "findings"));
    images += set->size();
    for (const int64_t patient : patients_of(*set)) CHECK(seen.insert(patient).second);
    for (int64_t i = 0; i < set->size(); ++i) {
      const std::string name = set->item_name(i);
      const int patient = std::stoi(name);
      std::array<Real, 2> row{};
      set->target(i, row.data());
      const bool first = name.find("_0") != std::string::npos;
      CHECK((row[0] == Real(first) && row[1] == Real(first && patient % 3 == 0) && set->label(i) == -1));
      CHECK(set->group(i) == patient - 1);
      std::vector<uint8_t> pixels(3 * 16 * 16);
      set->image(i, pixels.data());
      CHECK(pixels == resize_and_crop(load_image(xrays / concat("deep/er", first ? 0 : 1, "/", name)), 16).chw);
    }
  }
  CHECK((images == 24 && seen.size() == 12));
  CHECK(error_of([&] {
          open({"shapes10"}, Split::validation);
        }).has("data: shapes10 has no images for validation, only train and test"));
  CHECK(error_of([&] { open({"shapes10"}, Split::validation); }).code == 2);
}

TEST_CASE("findings: memory, colour and threads change no pixel, checksum or batch") {
  Xrays xrays;
  for (const bool colour : {false, true}) {
    const std::string last = open(xrays.source(), Split::train)->item_name(11);
    if (colour) xrays.picture(concat("deep/er", last[last.size() - 5], "/", last), 9, true);  // found after grey ones
    const DatasetPtr kept = open_findings(xrays.path(), Split::train, 16),
                     read = open_findings(xrays.path(), Split::train, 16, {}, 0);
    // A plane of 256 bytes per picture: the limit is that of all 24 pictures together.
    const DatasetPtr planes = open_findings(xrays.path(), Split::train, 16, {}, 24 * 256);
    const DatasetPtr none = open_findings(xrays.path(), Split::train, 16, {}, 24 * 256 - 1);
    CHECK((!kept->decodes() && read->decodes() && none->decodes()));
    CHECK(planes->decodes() == colour);
    CHECK((kept->checksum() == read->checksum() && kept->checksum() == planes->checksum()));
    LoaderConfig config;
    config.batch_size = 5;
    config.augment = augment_preset("xray");
    const int before = num_threads();
    set_num_threads(3);  // so `read` is read by three threads, `kept` by one
    Loader one(*kept, config), three(*read, config);
    set_num_threads(before);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      for (int64_t b = 0; b < one.batches(); ++b) {
        const Batch &x = one.at(epoch, b), &y = three.at(epoch, b);
        CHECK(std::equal(x.images.data(), x.images.data() + x.images.numel(), y.images.data()));
        CHECK(std::equal(x.targets.data(), x.targets.data() + x.targets.numel(), y.targets.data()));
      }
    }
  }
  // An error on one of the threads is the one of the first bad picture of the batch.
  const DatasetPtr set = open_findings(xrays.path(), Split::train, 16, {}, 0);
  for (int64_t i = 0; i < set->size(); i += 2) write_text(xrays / ("deep/er0/" + set->item_name(i)), "no picture");
  const int before = num_threads();
  set_num_threads(2);
  LoaderConfig config = evaluation_config(set->size());
  Loader loader(*set, config);
  set_num_threads(before);
  for (int again = 0; again < 3; ++again)
    CHECK(error_of([&] { loader.at(0, 0); }).has(set->item_name(0) + ": neither a PNG nor"));
}

TEST_CASE("findings: 16-bit grey keeps its high byte") {
  Xrays xrays;
  write_bytes(xrays / "deep/er0/1_0.png", make_png(8, 8, 16, 0, zlib_stream([] {
                                                     std::vector<uint8_t> rows;
                                                     for (int y = 0; y < 8; ++y) {
                                                       rows.push_back(0);
                                                       for (int x = 0; x < 8; ++x)
                                                         append(rows, Bytes{static_cast<uint8_t>(16 * y + x), 0xff});
                                                     }
                                                     return rows;
                                                   }())));
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const DatasetPtr set = open(xrays.source(8), split);
    for (int64_t i = 0; i < set->size(); ++i) {
      if (set->item_name(i) != "1_0.png") continue;
      std::vector<uint8_t> pixels(3 * 64);
      set->image(i, pixels.data());
      CHECK((pixels[0] == 0 && pixels[63] == 119 && pixels[64 + 9] == 17));
    }
  }
}

TEST_CASE("findings: what is missing, double or broken is an error of one line, and verify lists it all") {
  Xrays xrays;
  const auto refused = [&] { return error_of([&] { open(xrays.source(), Split::train); }).text; };
  CHECK(verify(xrays.source()).ok);
  xrays.picture("extra/stranger.png", 3);
  xrays.picture("extra/1_0.png", 3);
  CHECK(refused() == concat(xrays / "extra/stranger.png", ": no row in ", xrays / "labels.csv",
                            ", one of 1 such pictures: add the rows or remove the pictures; `data verify` lists them"));
  fs::remove(xrays / "deep/er1/2_1.png");
  CHECK(refused() == concat(xrays / "labels.csv", ": line 5: no picture '2_1.png' below ", xrays.path(),
                            ", 1 of 24 rows have none: add the pictures or remove the rows; `data verify` lists them"));
  write_text(xrays / "deep/er0/3_0.png", "no picture");
  write_text(xrays / "notes.txt", "hello");
  const VerifyResult result = verify(xrays.source());
  CHECK(!result.ok);
  CHECK((result.images == 22 && result.rows_without_picture == 1 && result.pictures_without_row == 1 &&
         result.same_names == 1 && result.unreadable == 1 && result.files.size() == 4));
  CHECK(result.notes ==
        Names{concat(xrays.path(), ": left out: 1 files that are no pictures; the first: ", xrays / "notes.txt")});
  CHECK(result.files[0].path == concat(xrays / "labels.csv", ", line 5"));
  CHECK(result.files[3].problem.find("neither a PNG nor a JPEG") != std::string::npos);
  int64_t mass = 0, patients = 0;
  for (const SplitCounts& one : result.splits) {
    mass += one.counts.positives[0];
    patients += one.counts.groups;
    CHECK(one.counts.together[1] == one.counts.positives[1]);  // Hernia goes with Mass
    CHECK(one.counts.none * 2 == one.counts.images);
  }
  CHECK((mass == 12 && patients == 12));
  xrays.picture("deep/er1/2_1.png", 3);
  fs::remove(xrays / "extra/stranger.png");
  CHECK(refused().find("extra/1_0.png: has the name of ") != std::string::npos);
  write_text(xrays / "labels.csv", "x");
  CHECK(verify(xrays.source()).files[0].problem.find("no label column") != std::string::npos);
}

TEST_CASE("findings: --image-size and --patch-size say what pictures are resized to, and how they are cut") {
  using namespace hv::program_fixtures;
  if (!Program::binary()) return;
  const Xrays xrays;
  const Program run;
  const std::string train = "train --preset branches-nano --heads 2 --steps 1 --batch-size 4 --threads 1 --report off --data ";
  const std::string mine = train + xrays.path();
  run.ok(mine + " --image-size 24 --patch-size 12 --out r");
  CHECK(run.ok("info r").find("24") != std::string::npos);
  CHECK(run.ok("eval r --threads 1").find("AUROC") != std::string::npos);
  check_refused(run(mine + " --image-size x"), 2, "--image-size: ");
  check_refused(run(mine + " --image-size 0"), 2, "--image-size: ");
  check_refused(run(mine + " --image-size 30"), 2, "--preset branches-nano: model: the patch must divide the image: 8 and 30");
  check_refused(run(mine + " --patch-size 0"), 2, "--patch-size: ");
  check_refused(
      run(train + "findings8 --image-size 32"), 2,
      "--preset: branches-nano is for images of 32 pixels, findings8 has 64; choose another preset or --image-size 64");
}

TEST_CASE("findings: data verify and data stats tell people and programs") {
  using namespace hv::program_fixtures;
  if (!Program::binary()) return;
  const Xrays xrays;
  const Program run;
  const std::string verified = run.ok("data verify " + xrays.path()),
                    stats = run.ok("data stats --split validation " + xrays.path());
  for (const char* line : {": findings, 24 readable images\n", "images with                   train validation       test\n",
                           "all images                       12          2         10\n",
                           "patients                          6          1          5\n"})
    CHECK_MESSAGE(contains(verified, line), verified);
  CHECK_MESSAGE(contains(stats, "findings, validation: 2 images of 3 x 32 x 32, 2 classes, checksum "), stats);
  CHECK(contains(stats, "images with both                 0      1\n 0 Mass                          1      1\n"));
  const std::string json = run.ok("data verify --json " + xrays.path());
  CHECK_MESSAGE(
      contains(
          json,
          R"("rows_without_picture":0,"pictures_without_row":0,"same_names":0,"unreadable":0,"splits":{"train":{"images":12,)"),
      json);
  CHECK(contains(
      run.ok("data stats --json " + xrays.path()),
      R"("validation":{"images":2,"patients":1,"no_label":1,"positives":{"Mass":1,"Hernia":1},"together":[[1,1],[1,1]]})"));
  CHECK(contains(run.ok("data stats --json shapes10"), R"("class_counts":[2000,2000,)"));
  fs::remove(xrays / "deep/er1/2_1.png");
  const Result bad = run("data verify --json " + xrays.path());
  CHECK((bad.code == 3 && contains(bad.out, R"("problem":"no picture 2_1.png")")));
  check_refused(run("data stats " + xrays.path()), 3, "labels.csv: line 5: no picture '2_1.png' below ");
  check_refused(run("data stats --split validation shapes10"), 2, "data: shapes10 has no images for validation");
}

TEST_CASE("findings: the counts of NIH's pictures are those of the set's own description") {
  const char* named = std::getenv("HYDRAVIT_FINDINGS");
  const std::string root = named ? named : "../shared/datasets/chestxray14-3500";
  if (!has_findings(root)) {
    MESSAGE("skipped: no NIH ChestX-ray14 (HYDRAVIT_FINDINGS or " << root << ")");
    return;
  }
  const std::vector<SplitCounts> splits = count_splits({root});
  const Counts train = {373, 134, 356, 484, 240, 176, 81, 166, 237, 68, 169, 152, 247, 13},
               test = {106, 66, 162, 240, 69, 70, 38, 66, 77, 38, 24, 54, 56, 6};
  Counts both = splits[0].counts.positives;
  for (size_t k = 0; k < both.size(); ++k) both[k] += splits[1].counts.positives[k];
  CHECK(both == train);
  CHECK(splits[2].counts.positives == test);
  CHECK(splits[0].counts.images + splits[1].counts.images == 2500);
  CHECK(splits[0].counts.groups + splits[1].counts.groups == 1171);
  CHECK(splits[0].counts.none + splits[1].counts.none == 700);
  CHECK((splits[2].counts.images == 1000 && splits[2].counts.groups == 90 && splits[2].counts.none == 380));
  CHECK(std::abs(static_cast<double>(splits[1].counts.groups) - 117) < 40);
}
