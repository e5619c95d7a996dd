// The smaller commands, run as programs: lr-find, data, report; and files that describe impossible models.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/http_fixtures.h"
#include "tests/program.h"
#include "train/state/checkpoint.h"

using namespace hv;
using namespace hv::program_fixtures;

namespace {
using Json = nlohmann::json;

size_t lines(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }
}  // namespace

TEST_CASE("program: lr-find prints a table, draws, writes CSV and JSON, and stops where it breaks or is asked to") {
  if (!Program::binary()) return;
  const Program program;
  const std::string find = "lr-find --preset nano --data data --batch-size 16 --threads 1 --steps 20 --train-limit 64 ";
  const Result table = program(find + "--low 1e-4 --high 0.1");
  INFO(table.err);
  REQUIRE(table.code == 0);
  CHECK(lines(table.out) == 24);  // head, 20 steps, how many, two suggestions
  CHECK(contains(table.out, "20 of 20 steps\n"));
  CHECK(contains(table.out, "where the loss falls fastest"));
  REQUIRE(program(find + "--low 1e-4 --high 0.1 --out curve.svg").code == 0);
  const std::string svg = slurp(program / "curve.svg");
  CHECK(contains(svg, "Learning-rate range test"));
  CHECK(contains(svg, "steepest"));
  REQUIRE(program(find + "--low 1e-4 --high 0.1 --out curve.csv").code == 0);
  const std::string csv = slurp(program / "curve.csv");
  CHECK(csv.rfind("step,lr,loss,smoothed_loss\n0,0.0001,", 0) == 0);
  CHECK(lines(csv) == 21);
  const Result json = program(find + "--low 1e-4 --high 0.1 --json");
  const Json curve = Json::parse(json.out);
  CHECK(curve["results"].size() == 20);
  CHECK(curve["steepest"].get<double>() > 1e-4);
  CHECK(curve["valley"].get<double>() < 0.1);

  const Result wild = program(find + "--optimizer sgd --high 1e6 --json");
  REQUIRE(wild.code == 0);
  CHECK(Json::parse(wild.out)["results"].size() < 20);
  CHECK(Json::parse(wild.out)["stopped"].get<std::string>() != "");
  const Result stopped =
      program("lr-find --preset cifar --data data --batch-size 64 --steps 10000", "timeout --preserve-status -s INT 2");
  CHECK(stopped.code == 130);
  CHECK(stopped.out.empty());
  check_refused(program(find + "--out curve.txt"), 2, "--out: 'curve.txt' ends in neither .svg nor .csv");
  check_refused(program(find + "--low 1 --high 0.5"), 2, "--low: 1 is not below --high 0.5");
  check_refused(program(find + "--out data.csv/x.svg"), 1, "data.csv/x.svg");
}

TEST_CASE("program: data is fetched, checked and described") {
  if (!Program::binary()) return;
  const Program program;
  const Result stats = program("data stats data --split test");
  REQUIRE(stats.code == 0);
  CHECK(contains(stats.out, "test: 128 images of 3 x 32 x 32, 10 classes"));
  CHECK(lines(stats.out) == 14);
  CHECK(contains(program("data stats --kind shapes10").out, "shapes10, train: "));
  const Result good = program("data verify data");
  CHECK(good.code == 0);
  CHECK(contains(good.out, "good     data/data_batch_1.bin  256 records"));
  CHECK(contains(good.out, "384 readable images\n"));
  std::ofstream(program / "data/data_batch_2.bin") << std::string(100, 'x');
  const Result bad = program("data verify data");
  CHECK(bad.code == 3);
  CHECK(contains(bad.out, "BAD      data/data_batch_2.bin"));
  CHECK(contains(bad.err, "data: not all files are good"));
  check_refused(program("data verify data data"), 2, "data verify: name one folder");
  check_refused(program("data get"), 2, "data get: name one data set: cifar10 or cifar100");

  fixtures::Server server;
  server.body = fixtures::Bytes(3000000, 7);
  const Result strange = program("data get cifar10 --url " + server.url());
  INFO(strange.err);
  CHECK(strange.code == 1);
  CHECK(contains(strange.err, "  0% of 170 MB"));
  CHECK(contains(strange.err, "cifar10: download failed: the transfer ended at byte 3000000 of 170052171"));
  CHECK_FALSE(fs::exists(program / "datasets/cifar-10-batches-bin"));
}

TEST_CASE("program: where no data is named it says what it takes instead") {
  if (!Program::binary()) return;
  const Program program;
  const std::string train = "train --preset mlp --batch-size 16 --steps 1 --train-limit 64 --eval-limit 16 --report off --out ";
  const Result nothing = program(train + "a");
  INFO(nothing.err);
  CHECK(nothing.code == 0);
  CHECK(contains(nothing.err,
                 "NOTICE: no data given (--data DIR or HYDRAVIT_DATA) and none in datasets/: using the built-in shapes10"));
  const Result environment = program(train + "b", "HYDRAVIT_DATA=data");
  CHECK(environment.code == 0);
  CHECK(contains(environment.err + environment.out, "data cifar10 from data"));
  fs::create_directories(program / "datasets");
  fs::rename(program / "data", program / "datasets/cifar-10-batches-bin");
  const Result usual = program(train + "c");
  CHECK(usual.code == 0);
  CHECK(contains(usual.err + usual.out, "from datasets"));
}

TEST_CASE("program: a report of chosen images; a report that cannot be written does not fail a training") {
  if (!Program::binary()) return;
  const Program program;
  REQUIRE(program(std::string(kTrain) + "--steps 3 --stop-after 1 --train-limit 64 --eval-limit 32 --out run").code == 0);
  const Result trained = program("train --resume run --threads 1", "touch run/report && ");
  INFO(trained.err);
  CHECK(trained.code == 0);
  CHECK(contains(trained.err, "warning: no report: "));
  CHECK(contains(trained.err, "later: hydravit report run"));
  fs::remove(program / "run/report");
  const Result page = program("report run --images 3,14 --out page.html");
  INFO(page.err);
  CHECK(page.code == 0);
  CHECK(contains(slurp(program / "page.html"), "<svg"));
  fs::copy(program / "run", program / "other", fs::copy_options::recursive);
  CHECK(program("report run --compare other --out both.html").code == 0);
  CHECK(contains(slurp(program / "both.html"), "other"));
  check_refused(program("report run --images 3,x"), 2, "--images: '3,x' is no list of images; write 3,14,15");
  check_refused(program("report run --images 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25"), 2,
                "25 images, expected at most 24");
}

TEST_CASE("program: checkpoints whose header describes what cannot be") {
  if (!Program::binary()) return;
  const Program program;
  REQUIRE(program(std::string(kTrain) + "--steps 1 --train-limit 64 --eval-every 0 --report off --out run").code == 0);
  const train::Checkpoint good = train::load_checkpoint((program / "run/last.ckpt").string());
  const auto with = [&](auto change) {
    train::Header header = good.header;
    change(header);
    train::save_checkpoint((program / "run/last.ckpt").string(), header, good.tensors);
  };
  with([](train::Header& h) { h.model["depth"] = "-3"; });
  for (const char* command : {"info run/last.ckpt", "eval run", "export run --out x.safetensors", "train --resume run"}) {
    check_refused(program(command), 3, "run/last.ckpt: describes no model this program can build: ");
  }
  with([](train::Header& h) { h.options["lr"] = "fast"; });
  check_refused(program("train --resume run"), 3, "run/last.ckpt: damaged header: --lr: 'fast' is no number");
  with([](train::Header& h) { h.options["speed"] = "1"; });
  check_refused(program("train --resume run"), 3, "run/last.ckpt: unknown option speed in its header");
  with([](train::Header& h) { h.counters.erase("loss_count"); });
  check_refused(program("train --resume run"), 3, "run/last.ckpt: damaged header: no loss_count");
}
