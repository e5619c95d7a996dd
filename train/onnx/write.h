// A stand-alone vision transformer, plain or distilled, as an ONNX file, for ONNX Runtime and every other program that reads
// the format.
//
//   opset 17, IR version 8; images float32 [batch, C, H, W], normalised -> logits float32 [batch, classes]; batch is dynamic
//
// Invariants
//   1. Initializers have timm's names, shapes and bytes, so the weights in the file can be checked against a checkpoint's.
//   2. The logits of a distilled one are the mean of both classifiers. LayerNorm's eps is in the graph, and so are the resizing
//      of images and the pruning of tokens (models/token_axes.h). Of equal scores the tokens of lower places go on, as here.
//   3. metadata_props hold what a user needs beside the graph, as the metadata of safetensors files do: mean, std, class_names,
//      heads, ...
//   4. Blocks with sizes of their own (models/layered_vit.h) have our names and bytes. What was cut to nothing is not there.
// Thread rule: any thread.
#pragma once

#include <string>

#include "train/exchange/timm_layout.h"

namespace hv::train {

// A model of more than one width, or one above protobuf's 2 GB, is an error (Fault::usage) before any weight is read.
void write_onnx(const std::string& path, const TimmModel& model);

}  // namespace hv::train
