// What a new run takes from a file: the first weights, and with --preset init the model, too.
// Thread rule: one thread.
#pragma once

#include <string>

#include "data/dataset.h"
#include "models/elastic.h"
#include "train/options.h"

namespace hv::train {

// With --preset init, the model of the checkpoint that --init names becomes that of the run. A model that no preset has (a cut
// one) does so unless a preset was asked for.
void take_model(TrainOptions& options, bool preset_given);

// Copies the weights of a checkpoint or of timm's model. Those of a narrower model become the part of that width, as the
// HydraViT authors start from DeiT-tiny.
void start_from(const std::string& path, const models::ElasticModel& model, const data::Dataset& data);

}  // namespace hv::train
