// timm's VisionTransformer in safetensors files: out of a checkpoint, and into one.
//
// Invariant: a file written here says all about its model in its metadata, so reading it needs no options, and writing it again
// gives the same bytes.
#pragma once

#include "train/safetensors.h"
#include "train/timm_layout.h"

namespace hv::train {

void write_timm_safetensors(const std::string& path, const TimmModel& model);
Metadata timm_metadata(const TimmModel& model);

}  // namespace hv::train
