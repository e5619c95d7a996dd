// A stand-alone vision transformer as an ONNX file, for ONNX Runtime and every other program that reads the format.
//
//   opset 17, IR version 8;  images float32 [batch, C, H, W], normalised  ->  logits float32 [batch, classes];  batch is dynamic
//
// Invariants
//   1. Initializers have timm's names, shapes and bytes, so the weights in the file can be checked against a checkpoint's.
//   2. A node is called after the module it does the work of, and its output after the node: "blocks.0.attn.qkv".
//   3. The file appears whole or not at all (invariant 1 of train/file.h). Beyond the weights, memory for one copy of them is used.
// The ONNX schema (Debian's libonnx-dev) and protobuf are named in train/onnx.cpp alone.
// Thread rule: any thread.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "models/hydravit.h"

namespace hv::train {

// The model of `config.heads` heads. `tensor` gives each of its weights by timm's name, in timm's layout: qkv rows are [q; k; v].
// `metadata` becomes the file's metadata_props. A model beyond protobuf's 2 GB: Fault::usage, before any weight is asked for.
void write_onnx(const std::string& path, const models::HydraViTConfig& config,
                const std::function<Tensor(const std::string&)>& tensor, const std::map<std::string, std::string>& metadata);

}  // namespace hv::train
