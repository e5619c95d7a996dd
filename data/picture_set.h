// Files of pictures, all resized to one size: reading, memory and checksum, for every data set that lies in such files.
//
// Invariants
//   1. The shorter side of a picture is resized to `side`, then the middle is cut out.
//   2. Pictures of up to `limit` bytes together are decoded once, on opening; of a larger set each is decoded on every read. If
//      all pictures are grey, one of their three equal planes is kept.
//   3. The checksum is a chain of hashes over what training sees: the mark (what the set says of a picture: its label, say) and
//      the resized pixels of each picture, in order. That of a set that is not in memory is kept between starts.
//   4. Neither the limit nor the number of threads changes a pixel or the checksum.
// Thread rule: as Dataset. `progress` is called by the thread that makes the object or asks for its checksum.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace hv::data {

using Progress = std::function<void(int64_t done, int64_t total)>;  // images that were read, out of all

inline constexpr int64_t kDecodedLimit = int64_t{1} << 30;

class PictureSet {
 public:
  // `root` and `what` name the set for the cache of checksums; there is one mark per path, and paths begin with `root`.
  PictureSet(const std::string& root, const std::string& what, std::vector<std::string> paths, std::vector<int64_t> marks,
             int64_t side, Progress progress, int64_t limit);

  int64_t size() const { return static_cast<int64_t>(paths_.size()); }
  const std::string& path(int64_t i) const { return paths_[checked(i)]; }
  int64_t mark(int64_t i) const { return marks_[checked(i)]; }
  bool decodes() const { return decoded_.empty(); }
  void image(int64_t i, uint8_t* chw) const;  // writes 3 * side * side bytes
  std::string checksum() const;

 private:
  size_t checked(int64_t i) const;
  void read(int64_t i, uint8_t* chw) const;
  void read(int64_t begin, int64_t end, uint8_t* chw) const;  // on all cores
  bool keep(int64_t planes);
  // Calls block(begin, end) for all pictures in order, at most 64 MiB of pixels at a time, until it returns false.
  template <class Block>
  bool in_blocks(Block&& block) const;

  std::string root_, what_;
  std::vector<std::string> paths_;
  std::vector<int64_t> marks_;
  int64_t side_, plane_;
  Progress progress_;
  int64_t limit_, planes_ = 3;    // that are kept
  std::vector<uint8_t> decoded_;  // empty: decode on every read
  mutable std::once_flag checksum_once_;
  mutable std::string checksum_;
};

}  // namespace hv::data
