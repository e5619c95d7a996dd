// Checkpoints: everything a run needs to go on, by name, in one file that cannot be half written or silently damaged.
//
//   "HYDRAVIT" | u32 format | u32 header length | header | u32 CRC-32C of all before | zeros to a multiple of 64
//   tensors in the header's order: raw little-endian float32, each padded with zeros to a multiple of 64
//   u64 length of the file | u64 CRC-32C of all before this line | "HYDRAVIT"
//
// Invariants
//   1. A file is untrusted. Its size is compared with what the header says before anything is allocated, counts are bounded
//      before anything is resized, and reading takes at most the file's size in memory (plus a megabyte).
//   2. load_checkpoint() verifies every byte, padding included. read_header() reads and verifies the header alone.
//   3. Any defect is one error (Fault::input) that names the file and the place.
//   4. Saving keeps invariant 1 of train/files/file.h.
// The header is a cereal portable binary archive, read through our own bounded loads (train/state/checkpoint.cpp).
// Thread rule: any thread; one at a time per file.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "models/elastic.h"
#include "train/files/folder.h"

namespace hv::train {

inline constexpr uint32_t kCheckpointFormat = 1;

struct TensorEntry {
  std::string name;  // "model.<parameter>", "ema.<parameter>", "optimizer.<state>.<parameter>"
  Shape shape;
  uint32_t crc = 0;  // filled in by saving
};

struct Header {
  models::Config model;                           // builds the same architecture (models::make_model)
  std::map<std::string, std::string> options;     // every resolved option of the run
  std::map<std::string, std::string> provenance;  // compiler, BLAS, threads, data
  std::map<std::string, int64_t> counters;        // step, ...
  std::map<std::string, double> metrics;
  uint64_t seed = 0;
  std::vector<std::string> class_names;
  std::array<double, 3> mean{}, std{};  // normalisation of the images
  std::vector<TensorEntry> tensors;     // filled in by saving
};

struct NamedTensor {
  std::string name;
  Tensor value;  // contiguous
};

struct Checkpoint {
  Header header;
  std::vector<NamedTensor> tensors;
  const Tensor& tensor(const std::string& name) const;  // a missing one is an error (Fault::input)
  std::string path;
};

// An error (Fault::input) if a checkpoint cannot hold this header, because a text or all of them together are too long.
void check_header(Header header, const std::vector<NamedTensor>& tensors);
// With `keep`, the file that was at `path` stays under its first name, and so on: AtomicFile::commit().
void save_checkpoint(const Place& place, Header header, const std::vector<NamedTensor>& tensors,
                     const std::vector<Place>& keep = {});
Header read_header(const Place& place);
// An error (Fault::failure) if a file with this header could not be saved or not be loaded again: texts that are too long, say.
void check_header(const Header& header);
// Does the file begin as a checkpoint does? It may be damaged after that. False if it cannot be read.
bool is_checkpoint(const Place& place);
// `wanted` chooses the tensors to keep, by name; all are verified.
Checkpoint load_checkpoint(const Place& place, const std::function<bool(const std::string&)>& wanted = {});

}  // namespace hv::train
