// The program from outside: exit codes, texts of errors, JSON.
#include <nlohmann/json.hpp>

#include "data/image.h"
#include "models/hydravit.h"
#include "tests/program.h"
#include "train/state/checkpoint.h"

using namespace hv;
using namespace hv::program_fixtures;

namespace {
using Json = nlohmann::json;
}

TEST_CASE("program: wrong usage exits with 2 and names the nearest") {
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program program;
  check_refused(program("trian"), 2, "unknown command 'trian'; did you mean train?");
  check_refused(program("train --epoch 3"), 2, "unknown option --epoch; did you mean --epochs?");
  check_refused(program("train --epochs=3 --lrr=1"), 2, "unknown option --lrr; did you mean --lr?");
  check_refused(
      program("train --preset ciphar"), 2,
      "--preset: 'ciphar' is unknown; choose nano, cifar, deit, mlp, scala-nano, scala-cifar, scala-deit, thinking-nano, "
      "thinking-cifar, thinking-deit, supervit-nano, supervit-cifar, supervit-deit, slim-nano, slim-cifar, slim-deit, "
      "branches-nano, "
      "branches-cxr, branches-scala-nano, branches-supervit-nano, branches-thinking-nano or init; "
      "did you mean cifar?");
  check_refused(program("train --preset init --init reference"), 2,
                "--preset init: --init names no checkpoint to take the model from");
  check_refused(program("train --lr fast"), 2, "--lr: 'fast' is no number");
  check_refused(program("train --lr nan"), 2, "--lr: nan is out of range");
  check_refused(program("train --steps -1"), 2, "--steps: -1 is out of range");
  check_refused(program("train --steps"), 2, "--steps");
  check_refused(program("train --steps 1 --steps 2"), 2, "--steps");
  check_refused(program("train surplus"), 2, "unknown argument surplus");
  check_refused(program("train --epochs 1 --steps 1"), 2, "give one of the two");
  check_refused(program("train --preset nano --heads 2-9"), 2,
                "--heads: 7 is outside preset nano, which runs with 2 to 6 heads");
  check_refused(program(std::string(kTrain) + "--steps 1 --weights 0,0,0,0,0"), 2,
                "--weights: the sum is 0; at least one must be positive");
  check_refused(program(std::string(kTrain) + "--steps 1 --weights 1,2"), 2, "--weights: 2 given for 5 widths");
  check_refused(program("train --preset nano --data data --steps 1 --batch-size 1000"), 2,
                "--batch-size: 1000 is more than the 256 training images");
  check_refused(program("train --preset deit --data data --steps 1 --batch-size 16"), 2,
                "--preset: deit is for images of 224 pixels");
  check_refused(program("eval"), 2, "CKPT");
  check_refused(program("bench --mode fast"), 2, "--mode: 'fast' is unknown; choose train, infer or train,infer");
  check_refused(program("data fetch"), 2, "unknown action 'fetch'");
  CHECK_FALSE(fs::exists(program / "runs"));  // nothing of this left a trace
  const Result none = program("");
  CHECK(none.code == 2);
  CHECK(contains(none.err, "bench"));
  for (const std::string command : {"", "train", "eval", "predict", "bench", "info", "export", "import", "data"}) {
    const Result help = program(command + " --help");
    CHECK(help.code == 0);
    CHECK(contains(help.out, command.empty() ? "predict" : "--"));
  }
  CHECK(contains(program("train --help").out, "highest learning rate (0 to 1000000000) [0.001]"));
}

TEST_CASE("program: bad files exit with 3, what cannot be written with 1, and nothing is lost") {
  if (!Program::binary()) return;
  const Program program;
  check_refused(program("train --steps 1 --data nowhere"), 3, "nowhere");
  check_refused(program("eval nowhere.ckpt"), 3, "nowhere.ckpt: cannot open: No such file or directory; check the path");
  std::ofstream(program / "text") << "this is no checkpoint, and it is long enough to be looked at";
  check_refused(program("eval text"), 3, "text: not a checkpoint: it does not begin with HYDRAVIT");
  check_refused(program(std::string(kTrain) + "--steps 1 --out text/run"), 1, "text/run: cannot make folder");
  check_refused(program(std::string(kTrain) + "--steps 1 --init nowhere"), 2, "--init: 'nowhere' is neither");
  fs::create_directories(program / "cut");
  std::ofstream(program / "cut/data_batch_1.bin") << std::string(3073, '\0') << "cut";
  fs::copy(program / "data/test_batch.bin", program / "cut/test_batch.bin");
  check_refused(program("train --steps 1 --data cut"), 3, "cut/data_batch_1.bin");

  const Result trained = program(std::string(kTrain) + "--steps 2 --out run --train-limit 64");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  check_refused(program(std::string(kTrain) + "--steps 1 --out run"), 2,
                "run: holds a run already; continue it with --resume run");
  check_refused(program("train --resume run --lr 1"), 2, "--lr: a run that is resumed keeps its lr, 0.001");
  check_refused(program("eval run --heads 7"), 2, "--heads: 7 is outside the model; it runs with 2 to 6 heads");
  check_refused(program("predict run text"), 3, "text");
  check_refused(program("export run --format pt"), 2, "--format: 'pt' is unknown; choose safetensors or onnx");
  check_refused(program("export run --format onnx"), 2, "--heads: an ONNX file computes one width; name it: 2 to 6");
  check_refused(program("export run --format onnx --heads 3 --out none/a.onnx"), 1, "none/a.onnx: cannot create: No such file");
  for (const char* writes : {"export run --out", "report run --out", "eval run --limit 1 --predictions"}) {
    check_refused(program(std::string(writes) + " run/last.ckpt"), 2, "run/last.ckpt holds a checkpoint; name another file");
  }
  check_refused(program("train --resume run --data shapes10"), 3, "these are not the training images of");
  const std::string good = slurp(program / "run/last.ckpt");
  std::ofstream(program / "altered.ckpt", std::ios::binary) << good.substr(0, 200000) << "altered" << good.substr(200007);
  check_refused(program("eval altered.ckpt"), 3, "altered.ckpt: damaged: ");
  check_refused(program("info altered.ckpt --verify"), 3, "altered.ckpt: damaged: ");
  CHECK(program("info altered.ckpt").code == 0);  // the header alone is whole

  // A checkpoint of another model under the same names.
  train::Checkpoint other = train::load_checkpoint((program / "run/last.ckpt").string());
  other.header.model["depth"] = "3";
  other.header.model["head_dim"] = "8";
  train::save_checkpoint((program / "other.ckpt").string(), other.header, other.tensors);
  check_refused(program("eval other.ckpt"), 3, "is it a checkpoint of another model?");

  // A limit on file sizes, smaller than a checkpoint, stands for a full disk.
  const Result full = program("train --resume run --steps 4", "ulimit -f 100;");
  CHECK(full.code == 1);
  CHECK(contains(full.err, "last.ckpt: cannot write"));
  CHECK(slurp(program / "run/last.ckpt") == good);
}

TEST_CASE("program: train, eval, info, predict, bench, and their JSON") {
  if (!Program::binary()) return;
  const Program program;
  const Result trained = program(std::string(kTrain) + "--heads 2,6 --epochs 1 --seed 4 --out run");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(contains(trained.out, "heads   dim"));
  CHECK(contains(trained.out, "checkpoint: run/last.ckpt"));
  CHECK(contains(trained.err, "1 thread, seed 4, data cifar10 from data: 256 training, 128 test images"));
  const Json config = Json::parse(slurp(program / "run/config.json"));
  CHECK(config["options"]["lr"] == 0.001);
  CHECK(config["options"]["shuffle"] == true);
  CHECK(config["model"]["heads"] == 6);
  for (const char* key : {"compiler", "blas", "blas_kernel", "threads", "data_checksum"})
    CHECK_FALSE(config["provenance"][key].empty());

  const Result evaluated = program("eval run --json --threads 1 --limit 100");
  REQUIRE(evaluated.code == 0);
  const Json rows = Json::parse(evaluated.out)["results"];
  REQUIRE(rows.size() == 2);  // the widths it was trained for
  const auto model = models::make_model(models::to_config(models::preset("nano")), 0);
  for (size_t i = 0; i < 2; ++i) {
    const models::Subnet& width = model->subnet(rows[i]["heads"].get<int64_t>());
    CHECK(rows[i].size() == 7);
    CHECK(rows[i]["params"] == model->params(width));
    CHECK(rows[i]["macs"] == model->macs(width));
    CHECK(rows[i]["images"] == 100);
    CHECK(rows[i]["top5"].get<double>() >= rows[i]["top1"].get<double>());
    CHECK(rows[i]["loss"].get<double>() > 0);
  }
  CHECK(program("eval run --ema --heads 3-5 --threads 1").code == 0);
  const Json again = Json::parse(program("eval run --json --threads 1 --limit 100 --batch-size 7").out)["results"];
  CHECK(again[1]["top1"] == rows[1]["top1"]);  // the batch does not matter
  CHECK(again[1]["loss"].get<double>() == doctest::Approx(rows[1]["loss"].get<double>()));

  const Result info = program("info run --json");
  REQUIRE(info.code == 0);
  const Json header = Json::parse(info.out);
  CHECK(header["counters"]["step"] == 16);
  CHECK(header["seed"] == 4);
  CHECK(header["tensors"].size() > 100);
  CHECK(contains(program("info run --verify --tensors").out, "model.blocks.0.attn.qkv.weight"));

  data::Image image{40, 50, std::vector<uint8_t>(6000, 90)};
  data::write_png((program / "a.png").string(), image);
  const Result predicted = program("predict run a.png a.png --topk 4 --heads 2,6 --json");
  REQUIRE(predicted.code == 0);
  const Json guesses = Json::parse(predicted.out)["results"];
  REQUIRE(guesses.size() == 4);
  CHECK(guesses[0]["classes"].size() == 4);
  CHECK(guesses[0]["classes"][0]["probability"].get<double>() >= guesses[0]["classes"][1]["probability"].get<double>());
  CHECK(guesses[0]["classes"] == guesses[2]["classes"]);
  CHECK(contains(program("predict run a.png").out, "a.png  heads=6"));

  const Result exported = program("export run --format onnx --heads 2");
  CHECK(exported.code == 0);
  CHECK(exported.out ==
        concat("run-heads2.onnx: 2 heads, 38250 parameters, ", fs::file_size(program / "run-heads2.onnx"), " bytes\n"));

  REQUIRE(program("train --preset mlp --data data --batch-size 16 --threads 1 --steps 60 --out mlp").code == 0);
  CHECK(Json::parse(program("eval mlp --data data --json").out)["results"][0]["top1"].get<double>() > 20);

  const Result bench = program("bench --preset nano --batch-size 4 --heads 2,6 --steps 2 --threads 1 --json");
  REQUIRE(bench.code == 0);
  const Json report = Json::parse(bench.out);
  CHECK(report["threads"] == 1);
  CHECK(report["precision"] == "fp32");
  CHECK(report["gemm_gflops"].get<double>() > 0);
  CHECK(report["peak_rss_mib"].get<double>() > 1);
  REQUIRE(report["results"].size() == 4);
  const std::string step = "bench --preset scala-nano --recipe scala --batch-size 4 --steps 2 --threads 1";
  const Json sandwich = Json::parse(program(step + " --json").out);
  CHECK(sandwich["ratio"].get<double>() > 0);
  CHECK(sandwich["memory_ratio"].get<double>() <= 1.1);
  CHECK(sandwich["strided_copies"] == 0);
  CHECK(contains(program(step).out, "its passes alone"));
  check_refused(program("bench --recipe scalar"), 2, "--recipe: 'scalar' is unknown; choose ");
  for (const char* key : {"mode", "heads", "dim", "batch", "images_per_second", "step_ms", "gflops", "split"}) {
    CHECK(report["results"][0].contains(key));
  }
  for (const Json& row : report["results"]) CHECK(row["efficiency"].get<double>() > 0);
  const Result table = program("bench --preset nano --batch-size 4 --mode infer --steps 1 --threads 1");
  CHECK(contains(table.out, "matrix products at full width"));
  CHECK(!contains(table.out, "efficiency"));
  const std::string views =
      "bench --preset nano --sizes 16,32 --keep 0.5,1 --subnets heads2-* --mode infer --steps 1 --threads 1";
  CHECK(contains(program(views).out, "  px  keep"));
  check_refused(program("bench --preset nano --stages 3,6"), 2, "--stages: preset nano has none");
  const Result detail = program("bench --preset nano --batch-size 4 --heads 2 --mode infer --steps 1 --threads 1 --detail");
  CHECK(contains(detail.out, "efficiency   split: products attention norm+GELU optimiser other"));
  const std::string scaling = "bench --preset nano --batch-size 16 --heads 2 --mode train --steps 1 --threads 2 --scaling";
  CHECK(contains(program(scaling).out, "  speedup\n"));
  const double speedup = Json::parse(program(scaling + " --json").out)["results"][0]["speedup"];
  CHECK(speedup > 0);
#ifndef HV_ASAN  // with which every tensor is allocated by the system
  CHECK(contains(table.out, "strided copies in the timed steps: none"));
#endif
}

TEST_CASE("program: signals, resuming, divergence") {
  if (!Program::binary()) return;
  const Program program;
  const std::string options = std::string(kTrain) + "--seed 2 --eval-every 0 ";
  REQUIRE(program(options + "--steps 40 --out whole").code == 0);
  for (const auto& [signal, code] : {std::pair{"INT", 130}, std::pair{"TERM", 143}}) {
    const std::string run = std::string("run") + signal;
    const Result result =
        program(options + "--steps 1000000 --out " + run, concat("timeout --preserve-status -s ", signal, " 1.5"));
    INFO(result.err);
    CHECK(result.code == code);
    CHECK(contains(result.err, "go on with: hydravit train --resume " + run));
    CHECK_NOTHROW(train::load_checkpoint((program / (run + "/last.ckpt")).string()));
    CHECK(program("train --stop-after 1 --resume " + run).code == 0);
  }
  // timeout signals the program and its group, so it may have come twice above. Here it surely comes twice, a moment apart.
  const Result twice = program(options + "--steps 1000000 --out twice",
                               R"(sh -c '"$@" & p=$!; sleep 1.5; kill -TERM $p; sleep 0.01; kill -TERM $p; wait $p' sh)");
  INFO(twice.err);
  CHECK(twice.code == 143);
  CHECK(contains(twice.err, "go on with: hydravit train --resume twice"));
  REQUIRE(program(options + "--steps 40 --out parts --stop-after 13").code == 0);
  const Result resumed = program("train --resume parts --threads 3");
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  const train::Checkpoint a = train::load_checkpoint((program / "whole/last.ckpt").string());
  const train::Checkpoint b = train::load_checkpoint((program / "parts/last.ckpt").string());
  REQUIRE(a.header.tensors.size() == b.header.tensors.size());
  for (size_t i = 0; i < a.header.tensors.size(); ++i) CHECK(a.header.tensors[i].crc == b.header.tensors[i].crc);

  const Result wild =
      program(std::string(kTrain) + "--steps 50 --optimizer sgd --lr 1000000000 --warmup 0 --save-every 1 --out wild");
  CHECK(wild.code == 4);
  CHECK(contains(wild.err, "hydravit: step "));
  CHECK(contains(wild.err, "try a lower --lr or --clip-grad 1"));
  const std::string last = (program / "wild/last.ckpt").string();
  if (contains(wild.err, "the last good checkpoint is")) CHECK_NOTHROW(train::load_checkpoint(last));
}
