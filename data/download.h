// Fetches data sets: a download that can be resumed, a check of size and SHA-256, unpacking with checks, one atomic rename.
// Only download.cpp names libcurl.
//
// Invariants
//   1. Nothing appears under its final name before everything about it was checked.
//   2. A broken download leaves DIR/<archive>.part, which the next call continues; one with wrong content is removed.
//   3. Whatever fails, the error says from where to get the file and where to put it. Exit code: Fault::failure for network
//      and disk, Fault::input for wrong content, Fault::usage for an unknown name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/archive.h"

namespace hv::data {

struct Package {
  std::string name;     // "cifar10"
  std::string url;      // of the archive, at the data set's home
  std::string archive;  // file name
  int64_t bytes;        // of the archive
  std::string sha256;
  std::string folder;  // the folder that get() makes inside the directory
  std::vector<ArchiveFile> files;
};
const std::vector<Package>& packages();                // cifar10, cifar100
const Package& find_package(const std::string& name);  // an error that lists the names

struct GetOptions {
  std::string url;                                            // instead of the package's own
  int64_t connect_seconds = 5;                                // give up if there is no connection after this time
  int64_t stall_seconds = 20;                                 // give up if less than `least_speed` arrives for this time
  int64_t least_speed = 1000;                                 // bytes per second
  std::function<void(int64_t done, int64_t total)> progress;  // bytes; may be empty
};
struct GetResult {
  std::string folder;  // where the data are
  bool already_there = false;
};

// Puts the data set into directory/<folder>. An archive that already lies in `directory` is used instead of the network.
GetResult get(const Package& package, const std::string& directory, const GetOptions& options = {});
GetResult get(const std::string& name, const std::string& directory, const GetOptions& options = {});

}  // namespace hv::data
