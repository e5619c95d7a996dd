// A stand-alone vision transformer as an ONNX file, for ONNX Runtime and every other program that reads the format.
//
//   opset 17, IR version 8;  images float32 [batch, C, H, W], normalised  ->  logits float32 [batch, classes];  batch is
//   dynamic
//
// Invariants
//   1. Initializers have timm's names, shapes and bytes, so the weights in the file can be checked against a checkpoint's.
//   2. A node is called after the module it does the work of, and its output after the node: "blocks.0.attn.qkv".
//   3. metadata_props say what a user needs beside the graph, as the metadata of safetensors files do: mean, std, class_names,
//      heads, ...
//   4. The file appears whole or not at all (invariant 1 of train/io/file.h). Writing needs memory for one copy of the weights.
// The ONNX schema (Debian's libonnx-dev) and protobuf are named in train/exchange/onnx.cpp alone.
// Thread rule: any thread.
#pragma once

#include <string>

#include "train/exchange/timm_layout.h"

namespace hv::train {

// More than one width, or a model beyond protobuf's 2 GB: Fault::usage, before any weight is looked at.
void write_onnx(const std::string& path, const TimmModel& model);

}  // namespace hv::train
