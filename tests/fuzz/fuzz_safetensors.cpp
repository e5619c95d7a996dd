// Safetensors: what is accepted must load within the bounds of the file; then it is read as a model in timm's layout.
#include <cstring>

#include "tests/fuzz/another_number.h"
#include "tests/fuzz/memory_file.h"
#include "train/exchange/timm_safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::train;
  const std::string& path = hv::fuzz::memory_file(data, size);
  bool known = false;
  hv::fuzz::may_refuse([&] {
    const SafetensorsHeader header = read_safetensors_header(path);
    for (const StoredTensor& tensor : header.tensors) {
      if (tensor.begin < 0 || tensor.end < tensor.begin || tensor.end > static_cast<int64_t>(size)) std::abort();
    }
    known = true;
    load_safetensors(path, [](const std::string&) { return true; });
  });
  if (known) hv::fuzz::may_refuse([&] { read_timm_safetensors(path, 0); });  // which begins with the same header
  return 0;
}

// libFuzzer collects files that are refused in different ways. So every eighth mutation starts from one that loads.
static std::string file_that_loads() {
  const std::string json = R"({"__metadata__":{"crc32c":"0"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
                           R"("b":{"dtype":"BF16","shape":[],"data_offsets":[16,18]}})";
  const uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + json + std::string(18, '0');
}

// Mutates the JSON and writes its length anew, or the tensors in place; every fourth time, anything anywhere.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  static const std::string base = file_that_loads();
  if ((seed >> 16) % 8 == 0 && base.size() <= most) {
    size = base.size();
    std::memcpy(data, base.data(), size);
  }
  uint64_t length = 0;
  if (size >= 8) std::memcpy(&length, data, 8);
  if (seed % 4 == 0 || size < 8 || length > size - 8) return LLVMFuzzerMutate(data, size, most);
  std::string json(reinterpret_cast<char*>(data) + 8, length),
      tensors(reinterpret_cast<char*>(data) + 8 + length, size - 8 - length);
  if (seed % 4 == 1) {
    const size_t before = tensors.size();
    tensors = hv::fuzz::mutated(tensors, before + 1);
    tensors.resize(before);
  } else if (seed % 4 == 2) {
    json = hv::fuzz::with_another_number(json, seed / 4);
  } else {
    json = hv::fuzz::mutated(json, length + (most - size));
  }
  length = json.size();
  std::string file(reinterpret_cast<char*>(&length), 8);
  file += json + tensors;
  if (file.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, file.data(), file.size());
  return file.size();
}
