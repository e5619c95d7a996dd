// Checkpoints: everything a run needs to go on, by name, in one file that cannot be half written or silently damaged.
//
//   "HYDRAVIT" | u32 format | u32 header length | header | u32 CRC-32C of all before | zeros to a multiple of 64
//   tensors in the header's order: raw little-endian float32, each padded with zeros to a multiple of 64
//   u64 length of the file | u64 CRC-32C of all before this line | "HYDRAVIT"
//
// Invariants
//   1. A file is untrusted: its size is compared with what the header says before anything is allocated, counts are bounded
//      before anything is resized, and reading takes at most the file's size in memory (plus a megabyte).
//   2. load_checkpoint() verifies every byte, padding included. read_header() reads and verifies the header alone.
//   3. Any defect is one error (Fault::input) that names the file and the place.
//   4. Saving keeps invariant 1 of train/io/file.h.
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

// With `keep`, the file that was at `path` stays under its first name, and so on: AtomicFile::commit().
void save_checkpoint(const std::string& path, Header header, const std::vector<NamedTensor>& tensors,
                     const std::vector<std::string>& keep = {});
Header read_header(const std::string& path);
// Does the file begin as a checkpoint does, whole or not? What cannot be read does not.
bool is_checkpoint(const std::string& path);
// `wanted` chooses the tensors to keep, by name; all are verified.
Checkpoint load_checkpoint(const std::string& path, const std::function<bool(const std::string&)>& wanted = {});

// CKPT of the command line: a file, or a run folder, which means its last.ckpt.
std::string checkpoint_path(const std::string& run_or_file);
// The same for loading: where a folder's last.ckpt is missing or damaged, `warn` is told and the state before it is loaded
// instead.
Checkpoint load_run(const std::string& run_or_file, const std::function<void(const std::string&)>& warn,
                    const std::function<bool(const std::string&)>& wanted = {});
// Saves as last.ckpt of the folder; of the states before, the newest `keep_last - 1` stay (run_folder.h names them).
void save_run(const std::string& folder, const Header& header, const std::vector<NamedTensor>& tensors, int64_t keep_last);
// What a run does before it goes on from `checkpoint` of its folder: that becomes last.ckpt again. Newer ones, which could not
// be read, are set aside as <name>.damaged, so that none of them ever takes the place of a good one.
void go_on_from(const std::string& folder, const std::string& checkpoint);

// Writes tensors "<prefix><parameter name>" into the model's parameters. Another model's tensors: an error that shows both
// shapes.
void restore_parameters(const Checkpoint& checkpoint, const std::string& prefix, const nn::Module& model);

}  // namespace hv::train
