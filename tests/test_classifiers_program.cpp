// --classifiers through the program: what train, info, export and --init make of it.
#include <doctest/doctest.h>

#include "tests/program.h"

using namespace hv;

TEST_CASE("program: separate classifiers are trained, told, exported and taken up") {
  using namespace program_fixtures;
  if (!Program::binary()) {
    MESSAGE("HYDRAVIT_BINARY is not set: skipped");
    return;
  }
  const Program run;
  const auto ok = [&](const std::string& arguments) { return run.ok(arguments); };
  const std::string train = concat(kTrain, "--report off --steps 1 --train-limit 16 --eval-limit 16 ");
  ok(train + "--classifiers own --out own");
  check_refused(run(train + "--classifiers bands:9 --out bad"), 2, "--classifiers: expected shared, own or ");

  const std::string info = ok("info own");
  CHECK(contains(info, "classifiers    own"));
  CHECK(contains(info, "\nclassifiers\n"));
  CHECK(contains(info, "330  heads=2\n"));
  CHECK(contains((ok("report own"), slurp(run / "own/report.html")), "<td>heads=2</td>"));

  ok("export own --heads 5 --out one.st");
  const std::string one = ok("info one.st --tensors");
  CHECK(contains(one, "head.weight"));
  CHECK_FALSE(contains(one, "classifiers"));
  ok("export own --out all.st");
  ok("import all.st --out all.ckpt");
  ok("export all.ckpt --out again.st");
  CHECK(slurp(run / "all.st") == slurp(run / "again.st"));
  CHECK(contains(ok("info all.st --tensors"), "heads.4.weight"));

  // --init: one classifier goes into all, several become one.
  CHECK(contains(ok(train + "--init own --out back"),
                 "NOTICE: own: it has 5 classifiers; the model's only one takes that of its widest width\n"));
  CHECK(contains(ok(train + "--classifiers bands:2 --init back --out again"),
                 "NOTICE: back: its classifier goes into each of the model's 2\n"));
}
