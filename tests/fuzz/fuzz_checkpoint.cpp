// Checkpoints, checksums off: header, tensors, and the model that a header describes, with its subnetworks as a report lists
// them; now and then as the last.ckpt of a run folder.
#include <cstring>

#include "tests/fuzz/run_folder.h"
#include "train/state/load.h"
#include "train/subnets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string& path = hv::fuzz::memory_file(data, size);
  hv::fuzz::may_refuse([&] {
    const hv::train::Checkpoint checkpoint = hv::train::load_checkpoint(path);
    int64_t bytes = 0;
    for (const hv::train::NamedTensor& tensor : checkpoint.tensors) bytes += 4 * tensor.value.numel();
    if (bytes > static_cast<int64_t>(size)) std::abort();
    hv::fuzz::may_refuse([&] {
      const auto model = hv::train::model_of(checkpoint.header, path);
      for (const auto& subnet : hv::train::trained_subnets(*model, checkpoint.header)) {
        if (model->params(subnet) <= 0 || model->macs(subnet) <= 0) std::abort();
      }
      hv::train::restore_parameters(checkpoint, "model.", *model);
    });
  });
  if (hv::fuzz::seldom(data, size, 512)) hv::fuzz::run_folder().read("last.ckpt", data, size);
  return 0;
}

// Mutates the header or the tensors and writes prefix, padding and trailer anew; every fourth time, anything anywhere.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  const auto aligned = [](size_t bytes) { return (bytes + 63) / 64 * 64; };
  uint32_t length = 0;
  if (size >= 128) std::memcpy(&length, data + 12, 4);
  const size_t begin = aligned(20 + size_t{length});
  if (seed % 4 == 0 || size < 128 || begin + 24 > size) return LLVMFuzzerMutate(data, size, most);
  std::string header(reinterpret_cast<char*>(data) + 16, length),
      tensors(reinterpret_cast<char*>(data) + begin, size - 24 - begin);
  if (seed % 4 == 1) {
    tensors = hv::fuzz::mutated(tensors, tensors.size() + 1);
    tensors.resize(size - 24 - begin);
  } else {
    header = hv::fuzz::mutated(header, length + (most - size));
  }
  std::string file("HYDRAVIT\1\0\0\0", 12);
  length = static_cast<uint32_t>(header.size());
  file.append(reinterpret_cast<char*>(&length), 4).append(header);
  file.resize(aligned(file.size() + 4));
  file += tensors;
  const uint64_t trailer[2] = {file.size() + 24, 0};
  file.append(reinterpret_cast<const char*>(trailer), 16).append("HYDRAVIT");
  if (file.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, file.data(), file.size());
  return file.size();
}
