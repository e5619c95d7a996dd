// Unpacks .tar.gz archives from outside. Only archive.cpp names libarchive.
//
// Invariants
//   1. Only regular files whose exact names were asked for are written, each at most as large as expected; a link, an absolute
//      name, a name with "..", an unknown name, a repeated or a missing file is an error (Fault::input).
//   2. Files land in `directory` under their last name component; on error the caller removes that directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::data {

struct ArchiveFile {
  std::string path;    // inside the archive: "cifar-10-batches-bin/data_batch_1.bin"
  int64_t bytes = -1;  // exact size; -1: a small text file of at most 64 KiB
};

void extract_tar_gz(const std::string& archive, const std::vector<ArchiveFile>& files, const std::string& directory);

}  // namespace hv::data
