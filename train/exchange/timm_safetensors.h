// timm's VisionTransformer and VisionTransformerDistilled in safetensors files: written from a checkpoint, read into a model.
//
// Invariants
//   1. The metadata of a file written here describe its model completely, so reading it needs no options, and exporting what
//      was imported gives the same bytes.
//   2. A file without that metadata (timm's own, DeiT's) is described by the names and shapes of its tensors, all but head_dim
//      and eps. eps is given or taken as 1e-6, timm's default. head_dim is given or guessed, and TimmModel::guess says what was
//      taken. An unlikely guess is an error that asks for it. It becomes a model of the first kind of the table that can be it.
//   3. Every name and shape is compared before the first number is read.
#pragma once

#include "train/exchange/safetensors.h"
#include "train/exchange/timm_source.h"

namespace hv::train {

void write_timm_safetensors(const std::string& path, const TimmModel& model);

// What is used if the metadata do not say it. 0: the head_dim is to be guessed, eps is 1e-6.
struct FileHints {
  int64_t head_dim = 0;
  double eps = 0;
  FileHints(int64_t head = 0, double norm = 0) : head_dim(head), eps(norm) {}
};

// All but the tensors. Without metadata, classes are named by their numbers and images are normalised as ImageNet's. A file
// that holds something else is an error (Fault::input) that lists the names or the shape that do not fit.
TimmModel describe_timm(const std::string& path, const SafetensorsHeader& header, const FileHints& hints = {});
bool describes_itself(const SafetensorsHeader& header);  // does it have the metadata of files written here?

// The width that the CLS token of a file has; 0 if it has none.
int64_t width_in(const std::string& path);
TimmModel read_timm_safetensors(const std::string& path, const FileHints& hints = {});

// "0.49 0.48 0.45": the shortest text that reads back as the same numbers.
std::string triple_text(const std::array<double, 3>& values);

// Is it a safetensors file? A pickled file (.pth, .pt) is an error that says why it is not read, and how to convert it.
bool is_safetensors(const std::string& path);

}  // namespace hv::train
