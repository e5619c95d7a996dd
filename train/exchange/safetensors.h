// The safetensors format: named tensors with a JSON header, which PyTorch, timm, JAX, candle and others read and write.
//
//   u64 N | header: N bytes of JSON, padded with spaces | the tensors' bytes, one after another
//   header: {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [3, 5], "data_offsets": [begin, end]}, ...}
//
// Invariants
//   1. A file is untrusted. Its header is at most 100 MB and one JSON value in UTF-8 to its last byte, spaces at the end apart.
//      It has no key twice; the metadata hold texts alone, or are null; there are at most 2^17 of them and 2^17 tensors. In
//      offset order each tensor begins where the one before ended, is as long as shape and dtype say, and the last ends with
//      the file. Every sum and product is checked; until then nothing larger than the file itself is allocated.
//   2. Any defect is one error (Fault::input) that names the file and the place. Names of tensors hold no control characters;
//      metadata may (a list of lines, say): pass it through printable() (train/io/printable.h) on its way to a terminal.
//   3. The format has no checksum, so this program adds one to the metadata, "crc32c". It covers what the header says, whatever
//      the order of its entries, and the tensors' bytes. A file that has the entry is compared with it; other programs ignore
//      it.
//   4. Writing keeps invariant 1 of train/files/file.h and is deterministic. Tensors of wider elements come first, then names
//      in byte order. The data begin at a multiple of 8 bytes.
// Thread rule: any thread; one at a time per file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/state/checkpoint.h"

namespace hv::train {

struct StoredTensor {
  std::string name, dtype;  // "F32", "I64", ...
  Shape shape;
  int64_t begin = 0, end = 0;  // bytes, from the first tensor's
};
using Metadata = std::map<std::string, std::string>;
struct SafetensorsHeader {
  Metadata metadata;
  std::vector<StoredTensor> tensors;  // as they lie in the file
};

SafetensorsHeader read_safetensors_header(const std::string& path);
inline constexpr const char* kSafetensorsChecksum = "crc32c";  // the metadata's entry

// Reads every byte. The tensors that `wanted` names, as float32. F16, BF16 and F64 are converted; another dtype is an error
// that names the tensor.
std::vector<NamedTensor> load_safetensors(const std::string& path, const std::function<bool(const std::string&)>& wanted);

// A tensor to write: `write` passes all its bytes to `put`, in any number of pieces.
using Put = std::function<void(const void* data, size_t bytes)>;
struct TensorToWrite {
  std::string name, dtype;
  Shape shape;
  std::function<void(const Put& put)> write;
};
void write_safetensors(const std::string& path, Metadata metadata, std::vector<TensorToWrite> tensors);

// Does the file begin as one, with a plausible length and a '{'? The rest is not looked at.
bool looks_like_safetensors(const std::string& path);

}  // namespace hv::train
