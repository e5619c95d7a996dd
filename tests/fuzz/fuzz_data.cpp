// Fuzzing of what data/ reads from outside: pictures, CIFAR records and archives. Any input may be refused with an hv::Error;
// anything else (a crash, another exception, a sanitizer's finding) is a defect. The first byte picks the reader.
//
//   clang++-14 -std=c++20 -O1 -g -I. -fopenmp -fsanitize=fuzzer,address,undefined -fno-sanitize=nonnull-attribute
//     tests/fuzz/fuzz_data.cpp data/{image,jpeg,cifar,checksum,files,archive}.cpp -larchive -lturbojpeg -o build/fuzz_data
//   mkdir -p build/corpus && build/fuzz_data -max_len=4096 -max_total_time=60 build/corpus
// (stb_image copies nothing from a null pointer at an empty PNG chunk: harmless, hence the exception.)
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>

#include "core/check.h"
#include "data/archive.h"
#include "data/cifar.h"
#include "data/image.h"

namespace {

void read_archive(std::span<const uint8_t> bytes) {
  static const int memory = ::memfd_create("fuzz", 0);
  const ssize_t put = ::ftruncate(memory, 0) == 0 ? ::pwrite(memory, bytes.data(), bytes.size(), 0) : -1;
  if (put != static_cast<ssize_t>(bytes.size())) std::abort();
  const std::string directory = hv::concat("/tmp/hydravit-fuzz-", ::getpid());
  std::filesystem::create_directory(directory);
  try {
    hv::data::extract_tar_gz(hv::concat("/proc/self/fd/", memory), {{"a/b", 3}, {"a/c"}}, directory);
  } catch (const hv::Error&) {
  }
  std::filesystem::remove_all(directory);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::data;
  if (size == 0) return 0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  try {
    if (data[0] % 4 == 0) {
      auto records = std::make_unique_for_overwrite<uint8_t[]>(3 * 3074);
      std::memset(records.get(), 0, 3 * 3074);
      std::memcpy(records.get(), bytes.data(), std::min<size_t>(bytes.size(), 3 * 3074));
      const CifarDataset set(CifarKind::cifar100_fine, Split::test, std::move(records), {{"fuzz", 3 * 3074}});
      if (set.label(2) < 0 || set.label(2) >= set.classes()) std::abort();
    } else if (data[0] % 4 == 1) {
      read_archive(bytes);
    } else {
      const Image image = decode_image(bytes, "fuzz");
      if (image.chw.size() != static_cast<size_t>(3 * image.height * image.width)) std::abort();
      if (image.height * image.width < 1 << 16) resize_and_crop(image, 8);
    }
  } catch (const hv::Error&) {
  }
  return 0;
}
