// What a model is judged on: the data that were asked for, with the classes that it knows.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/classes.h"
#include "data/image.h"
#include "tests/program.h"

using namespace hv;
using namespace hv::program_fixtures;
using Json = nlohmann::json;

namespace {

const std::vector<std::string> kNames = {"j", "i", "h", "g", "f", "e", "d", "c", "b", "a"};

// The program's data with its classes numbered backwards and under these names.
void backwards(const Program& program, const std::string& folder, const std::vector<std::string>& names) {
  fs::create_directories(program / folder);
  for (const char* file : {"data_batch_1.bin", "test_batch.bin"}) {
    std::string records = slurp(program / ("data/" + std::string(file)));
    for (size_t i = 0; i < records.size(); i += 3073) records[i] = static_cast<char>(9 - records[i]);
    std::ofstream(program / (folder + "/" + file), std::ios::binary) << records;
  }
  std::ofstream list(program / (folder + "/batches.meta.txt"));
  for (const std::string& name : names) list << name << '\n';
}

}  // namespace

TEST_CASE("classes are matched by name") {
  using data::ClassMatch;
  CHECK(data::match_classes({"a", "b"}, {"a", "b"}) == ClassMatch::same);
  CHECK(data::match_classes({"cat", "dog"}, {"dog", "z_cat"}) == ClassMatch::other);
  CHECK(data::match_classes({"a", "b"}, {"b", "a"}) == ClassMatch::reordered);
  CHECK(data::match_classes({"a", "b"}, {"0", "1"}) == ClassMatch::unknown);
  CHECK(data::match_classes({"a", "a", "b"}, {"a", "b", "b"}) == ClassMatch::other);
  CHECK(data::class_map({"a", "b", "a"}, {"b", "a", "a"}) == std::vector<int64_t>{1, 0, 2});
  CHECK(data::names_missing({"a", "b", "c", "d", "e"}, {"b"}) == "a, c, d, ...");

  const data::DatasetPtr set = data::make_shapes10(data::Split::test, 20);
  std::vector<std::string> names = set->class_names();
  std::reverse(names.begin(), names.end());
  const data::DatasetPtr turned = data::reorder_classes(set, names);
  CHECK(turned->class_names() == names);
  CHECK(turned->checksum() == set->checksum());
  std::vector<Real> target(10);
  for (int64_t i = 0; i < 20; ++i) {
    CHECK(turned->label(i) == 9 - set->label(i));
    turned->target(i, target.data());
    CHECK(std::max_element(target.begin(), target.end()) - target.begin() == turned->label(i));
  }
}

TEST_CASE("program: eval and --init match classes by name; eval never takes other data than those asked for") {
  if (!Program::binary()) return;
  const Program program;
  std::vector<std::string> names = kNames;
  std::reverse(names.begin(), names.end());
  std::ofstream list(program / "data/batches.meta.txt");
  for (const std::string& name : names) list << name << '\n';
  list.close();
  backwards(program, "turned", kNames);
  backwards(program, "other", {"j", "i", "h", "g", "f", "e", "d", "c", "b", "cat"});
  const std::string train =
      "train --preset nano --batch-size 16 --threads 1 --lr 0 --ema 0 --report off --heads 2 --eval-every 0 ";
  const Result trained = program(train + "--steps 1 --data data --out run");
  INFO(trained.err);
  REQUIRE(trained.code == 0);

  const auto loss = [&](const Result& result) { return Json::parse(result.out)["results"][0]["loss"].get<double>(); };
  const double own = loss(program("eval --threads 1 run --json"));
  const Result turned = program("eval --threads 1 run --data turned --json");
  CHECK(loss(turned) == own);
  CHECK(contains(turned.err, "NOTICE: run/last.ckpt has the classes of cifar10 in another order; they are matched by name\n"));
  CHECK(loss(program("eval --threads 1 run --data turned --json --ignore-class-names")) != own);
  check_refused(program("eval --threads 1 run --data other"), 3,
                "run/last.ckpt: has other classes than the data: it knows a, cifar10 has cat; name its data with --data");
  check_refused(program("eval --threads 1 run --data shapes10"), 3,
                "run/last.ckpt: has other classes than the data: it knows a, b, c, ...");

  const Result same = program(train + "--steps 1 --seed 1 --init run --data turned --out second");
  INFO(same.err);
  CHECK(contains(same.err, "NOTICE: run has the classes of the data in another order"));
  CHECK(loss(program("eval --threads 1 second --json")) == doctest::Approx(own).epsilon(1e-6));
  CHECK(contains(program(train + "--steps 1 --init run --data other --out third").err,
                 "NOTICE: run has other classes than the data (a): the classifier starts anew"));

  fs::rename(program / "data", program / "moved");
  check_refused(program("eval --threads 1 run"), 3,
                "run/last.ckpt: the data it was trained on, data, are not there: name their folder with --data");
  CHECK(program("eval --threads 1 run --data moved").code == 0);
  fs::rename(program / "other", program / "data");  // another set has taken the place
  check_refused(program("eval --threads 1 run"), 3, "run/last.ckpt: has other classes than the data: it knows a");
  fs::rename(program / "data", program / "other");
  fs::rename(program / "turned", program / "data");
  fs::remove(program / "data/batches.meta.txt");  // no names: only the images tell
  check_refused(program("eval --threads 1 run"), 3, "data: these are not the test images of run/last.ckpt (checksum ");
  std::ofstream(program / "moved/batches.meta.txt") << "a\nb\nc\nd\ne\nf\ng\nh\ni\nzebra\n";
  fs::resize_file(program / "moved/test_batch.bin", 64 * 3073);
  const Result resumed = program("train --resume run --data moved --steps 2 --threads 1");
  CHECK(resumed.code == 0);
  CHECK(contains(resumed.err, "NOTICE: classes have other names than in run/last.ckpt: it has j"));
  CHECK(contains(resumed.err, "these are not the test images of run/last.ckpt"));
  check_refused(program("eval --threads 1 run --kind shapes10 --data moved"), 2,
                "--kind shapes10: the built-in set lies in no folder");
}

TEST_CASE("program: a training and an evaluation tell what they leave out, and sample folders over their classes") {
  if (!Program::binary()) return;
  const Program program;
  data::Image image{9, 9, std::vector<uint8_t>(3 * 81)};
  for (const char* name : {"a", "b"}) {
    fs::create_directories(program / ("set/" + std::string(name)));
    for (int i = 0; i < 50; ++i) data::write_png((program / concat("set/", name, "/", i, ".png")).string(), image);
  }
  std::ofstream(program / "set/b/Thumbs.db") << "no picture";
  const Result trained = program(
      "train --preset nano --heads 2 --data set --batch-size 8 --threads 1 --steps 2 --eval-limit 10 --report off --out run");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const std::string notice = "NOTICE: set: left out: 1 files that are no pictures; the first: set/b/Thumbs.db\n";
  const size_t at = trained.err.find(notice);
  REQUIRE(at != std::string::npos);
  CHECK(trained.err.find(notice, at + 1) == std::string::npos);  // told once
  // All pictures are the same: whatever the model says of them, it is right for half of a fair sample.
  CHECK(contains(trained.err, "10 test images: top-1 50.0 "));
  const Result evaluated = program("eval --threads 1 run --limit 10 --json");
  CHECK(contains(evaluated.err, notice));
  CHECK(Json::parse(evaluated.out)["results"][0]["top1"] == 50);
  CHECK(contains(program("data verify set").out, "NOTICE   set: left out: 1 files that are no pictures"));
  CHECK(contains(program("data stats set").err, notice));
}
