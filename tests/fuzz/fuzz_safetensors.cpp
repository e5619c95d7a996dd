// Fuzzing of the safetensors reader. Any file may be refused with an hv::Error (Fault::input); what is accepted must load and keep
// within the file. Anything else (a crash, another exception, a sanitizer's finding) is a defect.
//
//   make all && clang++-14 -std=c++20 -O1 -g -I. -march=x86-64-v2 -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_safetensors.cpp
//     train/{safetensors,json,file}.cpp $(find build/release/core -name '*.o') -lopenblas -lgomp -o build/fuzz_safetensors
//   mkdir -p build/corpus-safetensors && build/fuzz_safetensors -max_len=512 -max_total_time=60 build/corpus-safetensors
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "core/check.h"
#include "train/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int memory = ::memfd_create("fuzz", 0);
  static const std::string path = hv::concat("/proc/self/fd/", memory);
  const ssize_t put = ::ftruncate(memory, 0) == 0 ? ::pwrite(memory, data, size, 0) : -1;
  if (put != static_cast<ssize_t>(size)) std::abort();
  try {
    const hv::train::SafetensorsHeader header = hv::train::read_safetensors_header(path);
    for (const hv::train::StoredTensor& tensor : header.tensors) {
      if (tensor.begin < 0 || tensor.end < tensor.begin || tensor.end > static_cast<int64_t>(size)) std::abort();
    }
    hv::train::load_safetensors(path, [](const std::string&) { return true; });
  } catch (const hv::Error& error) {
    if (error.fault() != hv::Fault::input) std::abort();
  }
  return 0;
}
