// Keeps the checksum of a folder of images from one start of the program to the next, because to compute it is to decode every
// image. A small file per folder, split and image size in $XDG_CACHE_HOME/hydravit or ~/.cache/hydravit.
//
// Invariants
//   1. What was kept is used only if the name, label, size and times of every file are the same as then, and the program too.
//   2. The file is not trusted: it has one exact form, with a checksum of its own; anything else counts as nothing kept.
//   3. Nothing here fails: a cache that cannot be read or written only costs time.
// Thread rule: one thread per object; several programs may use one cache.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::data {

// $XDG_CACHE_HOME/hydravit, else ~/.cache/hydravit; "" if neither is known.
std::string cache_folder();

class ChecksumCache {
 public:
  // `what` tells apart the checksums of one folder: "train, 224 pixels". There is one label per path, and paths begin with
  // `folder`.
  ChecksumCache(const std::string& folder, const std::string& what, const std::vector<std::string>& paths,
                const std::vector<int64_t>& labels);
  std::string find() const;  // "" if nothing fits
  // To be called after the images were read: if a file changed meanwhile, nothing is kept.
  void keep(const std::string& checksum) const;

 private:
  std::string stamp() const;  // names the state of all files; "" if it cannot be known
  std::string folder_;
  const std::vector<std::string>& paths_;
  const std::vector<int64_t>& labels_;
  std::string place_, stamp_;  // the file of the cache ("": none), and the files' state when the object was made
};

}  // namespace hv::data
