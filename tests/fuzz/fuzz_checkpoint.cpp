// Checkpoints, checksums off: header, tensors, and the model that a header describes.
#include "tests/fuzz/memory_file.h"
#include "train/setup.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string& path = hv::fuzz::memory_file(data, size);
  hv::fuzz::may_refuse([&] {
    const hv::train::Checkpoint checkpoint = hv::train::load_checkpoint(path);
    int64_t bytes = 0;
    for (const hv::train::NamedTensor& tensor : checkpoint.tensors) bytes += 4 * tensor.value.numel();
    if (bytes > static_cast<int64_t>(size)) std::abort();
    hv::train::restore_parameters(checkpoint, "model.", *hv::train::model_of(checkpoint.header, path));
  });
  return 0;
}
