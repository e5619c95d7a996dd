// hydravit slim search, slim cut, train --init: ViT-Slim from a finished model to a smaller one, as a user runs it.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "data/open.h"
#include "models/slim_search.h"
#include "tests/program.h"
#include "train/state/load.h"
#include "train/structure/before.h"
#include "train/structure/speed.h"

using namespace hv;
using namespace program_fixtures;

TEST_CASE("program: slim search, cut and retrain") {
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program run;
  const auto ok = [&](const std::string& arguments) { return run.ok(arguments); };
  const std::string few = " --data data --batch-size 16 --train-limit 64 --eval-every 0 --eval-limit 16 --report off ";
  ok("train --preset nano --heads 3 --steps 2 --out base" + few);
  ok("export base --heads 3 --out three.st");
  ok("import three.st --out three.ckpt");
  const std::string search = "slim search three.ckpt --w1 0.05 --w2 0.02 --w3 0.02 --lr 0.01 --steps 6 --drop-path 0.1" + few;
  CHECK(contains(ok(search + "--out search"), "training slim-search in search"));
  // The search is a run like any other: stopped, it goes on to the same masks.
  ok(search + "--stop-after 3 --out half");
  ok("train --resume half --report off");
  const auto loaded = train::load_model((run / "search").string()), resumed = train::load_model((run / "half").string());
  const auto &whole = dynamic_cast<const models::SlimSearch&>(*loaded.model),
             &again = dynamic_cast<const models::SlimSearch&>(*resumed.model);
  CHECK(whole.masks().heads == again.masks().heads);
  CHECK(whole.masks().tokens == again.masks().tokens);
  CHECK(whole.masks().hidden[0] != std::vector<double>(96, 1.0));
  ok("report search");
  CHECK(contains(slurp(run / "search/report.html"), "What a cut would keep"));
  for (const char* file : {"masks.svg", "masks-3.svg", "kept.svg", "kept-3.svg"}) {
    CHECK(contains(slurp(run / "search/report" / file), "</svg>"));
  }
  // Its recipe's options and settings are kept.
  CHECK(contains(slurp(run / "search/config.json"), "\"w1\": 0.05"));

  const std::string table = ok("slim cut search --attention 0.6 --mlp 0.5 --tokens 0.7 --round 4 --out cut.ckpt");
  CHECK(contains(table, "dimensions of heads  of 48  hidden units, of 96  tokens, of 65"));
  CHECK(contains(table, "sizes are rounded to multiples of 4"));
  CHECK(contains(table, "cut.ckpt: retrain it with hydravit train --init cut.ckpt"));
  const auto json = nlohmann::json::parse(run("slim cut search --macs 60% --json --out sixty.ckpt").out);
  const double share = json["results"][0]["macs"].get<double>() / json["uncut_macs"].get<double>();
  CHECK(share <= 0.6);
  CHECK(share > 0.55);
  CHECK(json["model"]["head_dims"].get<std::string>().find('/') != std::string::npos);
  ok("slim cut search --ms 1000 --out slow.ckpt");
  CHECK(contains(ok("slim cut search --nested 0.5,0.8 --ema --out nested.ckpt"), "budget=0.8: "));
  CHECK(contains(ok("train --init nested.ckpt --recipe sandwich --teacher three.ckpt --steps 2 --out small" + few), "budget"));
  CHECK(contains(ok("train --init cut.ckpt --steps 2 --out one" + few), "full"));
  const std::string info = ok("info one");
  CHECK(contains(info, "layers\n  block  dimensions of heads  of 48  hidden units, of 96  tokens, of 65\n      0 "));
  CHECK(!contains(info, "head_dims"));
  CHECK(contains(info, "head_dim       16"));
  const auto one = nlohmann::json::parse(ok("info one --json"));
  CHECK(one["layers"][0]["parts"][2]["name"] == "tokens");
  CHECK(one["model"].contains("head_dims"));

  // Uncut, cut and retrained in one chart.
  ok("report small base --images 1");
  const std::string page = slurp(run / "small/report.html"), macs = slurp(run / "small/report/accuracy-macs.svg");
  CHECK(contains(page,
                 "nested.ckpt, before training: the model with the weights that this training began with, evaluated for this "
                 "report on 128 "));
  for (const char* name : {">small<", ">base<", ">nested.ckpt, before training<"}) CHECK(contains(macs, name));
  CHECK(contains(slurp(run / "small/report/accuracy-speed.svg"), "nested.ckpt, before training"));
  CHECK(contains(page, "measured for this report, all runs in turn"));
  CHECK(contains(page, "<th scope=\"col\">budget</th><th scope=\"col\">dim</th><th scope=\"col\">heads</th>"));
  CHECK(contains(slurp(run / "small/report/layers-3.svg"), "What is left of each block: tokens"));
  train::RunData small = train::read_run((run / "small").string());
  const data::DatasetPtr images = data::open({(run / "data").string(), "auto", 32}, data::Split::test);
  const auto missing = [&](const std::string& init) {
    small.header->options["init"] = (run / init).string();
    const train::Before before = train::before_training(small, images.get(), "");
    CHECK(!before.run);
    return before.missing;
  };
  CHECK(contains(missing("gone.ckpt"), "gone.ckpt"));
  CHECK(contains(missing("data"), "data"));
  CHECK(contains(missing("three.st"), "three.st: "));
  CHECK(contains(missing("base"), "base: holds another model than the run"));
  CHECK(contains(missing("cut.ckpt"), "cut.ckpt: holds another model than the run"));
  CHECK(train::before_training(train::read_run((run / "base").string()), images.get(), "").missing.empty());
  small.header->options["init"] = (run / "nested.ckpt").string();
  CHECK(train::before_training(small, nullptr, "no images").missing == "no images");
  const train::Before before = train::before_training(small, images.get(), "");
  REQUIRE(before.run);
  CHECK(before.images == 128);  // as the run's last evaluation
  CHECK(std::isfinite(before.run->last("top1", before.run->widths[0].subnet)));
  small.held = train::OpenFolder((run / "data").string());  // which holds no model
  train::measure_in_turn({&small});
  CHECK(small.images_per_second.empty());
  CHECK(contains(small.why("speed"), "data"));

  // Both timed in turn: the second row is over the first.
  const std::string both = " base cut.ckpt --mode infer --batch-size 2 --steps 1 --threads 1";
  CHECK(contains(ok("bench" + both), "time   MACs\ninfer base       heads=3"));
  const auto rows = nlohmann::json::parse(ok("bench --json" + both))["results"];
  CHECK(rows[1]["checkpoint"] == "cut.ckpt");
  CHECK(rows[1]["macs"].get<double>() < rows[0]["macs"].get<double>());
  check_refused(run("bench base --preset nano"), 2, "bench: --preset is part of a checkpoint's model");
  check_refused(run("bench base cut.ckpt --recipe sandwich"), 2, "bench: --recipe times one model, found 2");

  // With its masks a search is no plain transformer, although it starts from one.
  const std::string more = "a model of kind slim-search is more than the plain vision transformer in it";
  check_refused(run("export search --out x"), 2, more);
  check_refused(run("export search --format onnx --out x"), 2, more);
  check_refused(run("train --preset supervit-nano --init search --steps 1 --out y" + few), 2, more);
  check_refused(run("import three.st --preset slim-nano --out x"), 2, "--preset: 'slim-nano' is unknown; choose nano");
  check_refused(run("slim cut search --mlp 0 --out x"), 2, "--mlp: 0 is out of range; give 1e-04 to 1");
  check_refused(run("slim cut search --attention 1.5 --out x"), 2, "--attention: 1.5 is out of range");
  check_refused(run("slim cut search --out x"), 2, "slim cut: how much shall stay?");
  check_refused(run("slim cut search --mlp 0.5 --macs 60% --out x"), 2, "different ways to say how much stays; give one");
  check_refused(run("slim cut search --mlp 0.5"), 2, "slim cut: name the file of the cut model with --out");
  check_refused(run("slim cut search --macs 1 --out x"), 2, "--macs: no cut costs at most 1 MACs; at a budget of 0.01 it is ");
  check_refused(run("slim cut search --ms 1e-6 --out x"), 2, "--ms: no cut costs at most 1e-06 ms; at a budget of 0.01 it is ");
  check_refused(run("slim cut search --macs much --out x"), 2,
                "--macs: 'much' is neither a number of MACs nor a share, as 60%");
  check_refused(run("slim cut search --nested 0.7,0.5 --out x"), 2,
                "--nested: '0.7,0.5' is no list of rising budgets in (0, 1]");
  check_refused(run("slim cut three.ckpt --mlp 0.5 --out x"), 2,
                "slim cut: three.ckpt has no masks; hydravit slim search learns them");
  check_refused(run("slim cut cut.ckpt --mlp 0.5 --out x"), 2, "slim cut: cut.ckpt is cut already; cut its search again");
  check_refused(run("slim search cut.ckpt" + few), 2, "slim search: cut.ckpt is cut already");
  check_refused(run("slim"), 2, "A subcommand is required; hydravit slim --help lists the options");
  check_refused(run("slim cuts"), 2, "unknown command 'slim cuts'; did you mean cut?; hydravit slim --help lists them");
  check_refused(run("train --preset nano --recipe slim --steps 1 --out y" + few), 2, "--recipe slim: for models with masks");
  ok("slim search three.ckpt --masks mlp --steps 1 --out narrow" + few);
  check_refused(run("slim cut narrow --attention 0.5 --out x"), 2, "--attention: the search had no masks of attention");
  check_refused(run("slim cut narrow --tokens 0.5 --out x"), 2, "--tokens: the search had no masks of tokens");
  check_refused(run("slim search three.ckpt --masks mlp,all --steps 1 --out z" + few), 2,
                "--masks: expected attention, mlp and tokens, or some of them, as attention,mlp; found 'mlp,all'");
}
