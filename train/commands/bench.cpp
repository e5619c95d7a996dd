// hydravit bench: what it measures is in train/bench.
#include "models/kinds.h"
#include "train/bench/run.h"
#include "train/commands/commands.h"
#include "train/subnets.h"

namespace hv::train {

Command bench_command() {
  const auto a = std::make_shared<BenchArguments>();
  a->model.preset = "cifar";
  Fields fields = {
      {"preset", &a->model.preset, "model", 0, 0, models::model_names()},
      {kSubnetsOption, &a->model.subnets.heads, "widths, as 5, 3-8, 3,5,8 or all; default: all"},
      {kNamesOption, &a->model.subnets.names, kNamesHelp},
      {"mode", &a->mode, "train, infer or train,infer"},
      {"recipe", &a->recipe, "instead: a step of this recipe beside its passes alone; e.g. scala"},
      {"batch-size", &a->batch_size, "images a step", 1, 65536},
      {"steps", &a->steps, "timed steps, after 3 to warm up", 1, 100000},
      {"precision", &a->precision, "of the operands of products", 0, 0, {"fp32", "bf16"}},
      {"threads", &a->threads, "cores to use; 0: all", 0, 1024},
      {"detail", &a->detail, "where the time goes, and the time of the products alone over that of the step", 0, 0, {}, true},
      {"scaling", &a->scaling, "the same on one thread, in turn: how many times as fast all threads are", 0, 0, {}, true},
      {"json", &a->json, "machine-readable output", 0, 0, {}, true},
  };
  std::set<std::string> of_presets = {"preset"};
  for (const Field& setting : setting_fields(a->model)) {
    of_presets.insert(setting.name);
    fields.push_back(setting);
  }
  return {"bench",
          "speed of training and inference at every width",
          std::move(fields),
          {{"CKPT", "checkpoints or run folders to compare; default: a preset", &a->checkpoints, true, false}},
          [a, of_presets](const std::set<std::string>& given) {
            for (const std::string& name : given) {
              HV_CHECK_USAGE(a->checkpoints.empty() || !of_presets.contains(name), "bench: --", name,
                             " is part of a checkpoint's model; leave it out, or name no checkpoint");
            }
            return run_bench(*a);
          }};
}

}  // namespace hv::train
