// Keeps how long subnetworks take on this machine from one start of the program to the next: a small JSON file per model,
// number of threads and precision in the user's cache folder (data/checksum_cache.h).
//
// Invariants
//   1. What was kept counts only for the same program, processor, threads, precision and configuration of the model.
//   2. The file is not trusted: a regular file of at most kLargestLatencyFile bytes with numbers that can be times. Anything
//      else counts as nothing kept and is replaced, with a notice. No link is followed, no pipe waited for.
//   3. Nothing here fails: a cache that cannot be read or written only costs time.
// Thread rule: one thread per object; several programs may use one cache.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "models/elastic.h"

namespace hv::train {

inline constexpr int64_t kLargestLatencyFile = 1 << 18;

class LatencyCache {
 public:
  // `again`: what was kept is not used.
  explicit LatencyCache(const models::Config& config, bool again = false);
  std::optional<double> find(const models::Subnet& subnet) const;  // milliseconds of one image
  void add(const models::Subnet& subnet, double ms);
  void keep() const;  // what was found and added
  const std::string& path() const { return path_; }

 private:
  void read();
  std::string path_;                         // "": no place to keep it
  std::map<std::string, std::string> made_;  // what invariant 1 compares
  std::map<std::string, double> ms_;         // by name of the subnetwork
};

}  // namespace hv::train
