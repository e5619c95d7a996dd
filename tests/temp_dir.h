// Folders of tests: new and empty, removed at the end.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "core/check.h"

namespace hv::fixtures {

class TempDir {
 public:
  explicit TempDir(const std::filesystem::path& parent = std::filesystem::temp_directory_path())
      : path_((parent / "hydravit-test-XXXXXX").string()) {
    HV_CHECK(::mkdtemp(path_.data()), "test: no temporary directory");
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

// In memory if the system can: for tests that write tens of thousands of files.
class Folder : public TempDir {
 public:
  Folder() : TempDir(std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path()) {}
};

}  // namespace hv::fixtures
