// Writes the fixture of the format that this program writes (formats.h), once: make format-fixture.
#include <cstdio>
#include <filesystem>

#include "core/parallel.h"
#include "tests/formats/formats.h"
#include "tests/trainer_fixtures.h"

int main() {
  using namespace hv;
  using namespace hv::trainer_fixtures;
  init_compute(1);
  const std::string name = concat(formats::kFolder, "/v", kCheckpointFormat);
  if (fs::exists(name + ".ckpt")) {
    std::fprintf(stderr, "%s.ckpt is there: a released format does not change; raise kCheckpointFormat for a new one\n",
                 name.c_str());
    return 1;
  }
  models::HydraViTConfig config;
  config.depth = config.head_dim = config.heads_min = config.mlp_ratio = 1;
  config.heads = 2;
  TrainOptions options = tiny_options();
  options.steps = 9;
  options.stop_after = 8;  // in the second epoch
  const Folder folder;
  Run run(options, folder.path(), false, {}, models::to_config(config));
  run.trainer.run();
  fs::copy_file(folder / "last.ckpt", name + ".ckpt");
  std::string text;
  for (const double value : formats::logits_of(name + ".ckpt")) {
    char line[32];
    std::snprintf(line, sizeof line, "%.9g\n", value);
    text += line;
  }
  write_file(name + ".logits", text);
  std::printf("%s.ckpt, %s.logits\n", name.c_str(), name.c_str());
  return 0;
}
