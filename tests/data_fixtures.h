// What the tests of data/ share: a directory that removes itself, generated record files, the text and code of an error.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/check.h"

namespace hv::fixtures {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hydravit-test-XXXXXX").string();
    HV_CHECK(::mkdtemp(pattern.data()), "test: no temporary directory");
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void write_bytes(const std::string& path, std::span<const uint8_t> bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  HV_CHECK(out.good(), "test: cannot write ", path);
}
inline void write_text(const std::string& path, const std::string& text) {
  write_bytes(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}
inline std::vector<uint8_t> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<uint8_t> bytes(std::filesystem::file_size(path));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// Records with `labels` label bytes each: label byte k of record i is (i + k) % classes, pixel j is (i * 7 + j) % 256.
inline std::vector<uint8_t> make_records(int64_t count, int labels, int classes) {
  std::vector<uint8_t> bytes;
  for (int64_t i = 0; i < count; ++i) {
    for (int k = 0; k < labels; ++k) bytes.push_back(static_cast<uint8_t>((i + k) % classes));
    for (int64_t j = 0; j < 3072; ++j) bytes.push_back(static_cast<uint8_t>(i * 7 + j));
  }
  return bytes;
}

struct Caught {
  std::string text = "no error";
  int code = 0;
  bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
};
inline Caught error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return {error.what(), static_cast<int>(error.fault())};
  }
  return {};
}

// The directory named by HYDRAVIT_DATA, or empty.
inline std::string real_data() {
  const char* path = std::getenv("HYDRAVIT_DATA");
  return path ? path : "";
}

}  // namespace hv::fixtures
