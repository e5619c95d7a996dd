// Archives, compressed or not: only the requested files may appear, in their folder.
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "data/archive.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace fs = std::filesystem;
  static const std::string folder = [] {
    const fs::path base = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
    return (base / hv::concat("hydravit-fuzz-", ::getpid())).string();
  }();
  static const bool registered = std::atexit([] { fs::remove_all(folder); }) == 0;
  fs::create_directories(folder);
  const std::string& path = hv::fuzz::memory_file(data, size);
  hv::fuzz::may_refuse([&] { hv::data::extract_tar_gz(path, {{"a/b", 3}, {"a/c"}}, folder); });
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!registered || (name != "b" && name != "c") || entry.is_symlink()) std::abort();
    fs::remove(entry.path());
  }
  return 0;
}

// Every header of a plain archive gets the checksum of what it holds after the mutation.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  if (seed % 4 == 0 || size < 2 || data[0] == 0x1F) return size;
  for (size_t at = 0; at + 512 <= size && data[at] != 0;) {
    uint8_t* const header = data + at;
    std::memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; ++i) sum += header[i];
    std::snprintf(reinterpret_cast<char*>(header + 148), 7, "%06o", sum);
    const std::string octal(reinterpret_cast<char*>(header) + 124, 12);
    const uint64_t bytes = std::min<uint64_t>(std::strtoull(octal.c_str(), nullptr, 8), 4096);
    at += 512 + static_cast<size_t>((bytes + 511) / 512 * 512);
  }
  return size;
}
