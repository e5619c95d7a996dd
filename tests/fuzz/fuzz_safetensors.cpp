// Safetensors: what is accepted must load and keep within the file; then as a model in timm's layout.
#include "tests/fuzz/memory_file.h"
#include "train/timm_safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::train;
  const std::string& path = hv::fuzz::memory_file(data, size);
  hv::fuzz::may_refuse([&] {
    const SafetensorsHeader header = read_safetensors_header(path);
    for (const StoredTensor& tensor : header.tensors) {
      if (tensor.begin < 0 || tensor.end < tensor.begin || tensor.end > static_cast<int64_t>(size)) std::abort();
    }
    load_safetensors(path, [](const std::string&) { return true; });
    read_timm_safetensors(path, 0);
  });
  return 0;
}
