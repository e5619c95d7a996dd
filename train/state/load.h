// A model out of a checkpoint.
// Thread rule: one thread.
#pragma once

#include <memory>
#include <string>

#include "models/kinds.h"
#include "train/state/checkpoint.h"

namespace hv::train {

struct Loaded {
  Header header;
  std::unique_ptr<models::ElasticModel> model;
  std::string path;  // of the checkpoint
};
// The model of a checkpoint (file or run folder), with its weights or, if asked, their average; in evaluation mode.
Loaded load_model(const std::string& run_or_file, bool ema = false);
Loaded load_model(const OpenFolder& run, bool ema = false);
// The architecture alone, from a header: its weights have any values. One that does not build is a damaged file (Fault::input).
std::unique_ptr<models::ElasticModel> model_of(const Header& header, const std::string& path);

// Writes tensors "<prefix><parameter name>" into the model's parameters. Another model's tensors: an error that shows both
// shapes.
void restore_parameters(const Checkpoint& checkpoint, const std::string& prefix, const nn::Module& model);

}  // namespace hv::train
