// Old formats: a checkpoint of every released version loads, computes what it did when it was made, and its run goes on.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tests/formats/formats.h"
#include "tests/trainer_fixtures.h"

using namespace hv;
using namespace hv::train;
using namespace hv::trainer_fixtures;

TEST_CASE("formats: a checkpoint of every version loads, with its logits, and its run goes on") {
  const Threads threads;
  std::set<std::string> versions;
  for (const auto& entry : fs::directory_iterator(formats::kFolder)) {
    if (entry.path().extension() == ".ckpt") versions.insert(entry.path().stem().string());
  }
  for (uint32_t version = 1; version <= kCheckpointFormat; ++version) CHECK(versions.count(concat("v", version)) == 1);
  for (const std::string& version : versions) {
    CAPTURE(version);
    const std::string path = concat(formats::kFolder, "/", version, ".ckpt");
    const std::vector<double> found = formats::logits_of(path);
    const std::vector<std::string> expected = lines(concat(formats::kFolder, "/", version, ".logits"));
    REQUIRE(found.size() == expected.size());
    REQUIRE(found.size() == 60);  // 2 widths, 3 images, 10 classes
    for (size_t i = 0; i < found.size(); ++i) {
      CHECK(std::abs(found[i] - std::stod(expected[i])) <= 1e-5);  // of values of about 1; other kernels add in another order
    }
    const Checkpoint checkpoint = load_checkpoint(path);
    TrainOptions options;
    const Fields fields = train_fields(options);
    for (const auto& option : checkpoint.header.options) {
      const Field* field = find_field(fields, option.first);
      REQUIRE_MESSAGE(field, option.first);
      if (!option.second.empty()) field->set(option.second);
    }
    options.stop_after = 1;
    Run run(options, "", false, {}, checkpoint.header.model);
    run.trainer.restore(checkpoint);
    CHECK(run.trainer.step() == 8);
    const std::vector<double> before = run.state();
    CHECK(before.size() == 4 * static_cast<size_t>(run.model->parameter_count()));  // weights, average, two moments
    run.trainer.run();
    CHECK(run.trainer.step() == 9);
    const std::vector<double> after = run.state();
    CHECK(after != before);
    for (const double value : after) REQUIRE(std::isfinite(value));
  }
}
