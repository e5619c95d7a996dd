// Archives, packed or plain: nothing but the files asked for, in their folder.
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
