// What `hydravit bench` does: speed of training and inference at every subnetwork, of a preset or of some checkpoints in turn,
// or a step of a recipe beside its passes.
// Thread rule: one thread.
#pragma once

#include <string>
#include <vector>

#include "train/options.h"

namespace hv::train {

struct BenchArguments {
  std::vector<std::string> checkpoints;  // files or run folders; empty: the model of a preset, with any weights
  TrainOptions model;                    // only its preset, settings and subnetworks are used
  std::string mode = "train,infer", recipe, precision = "fp32";
  int64_t batch_size = 128, steps = 10, threads = 0;
  bool detail = false, scaling = false, json = false;
};
int run_bench(const BenchArguments& arguments);  // -> exit code

}  // namespace hv::train
