// CIFAR-10 and CIFAR-100 in their official binary form: records of label bytes and 3 x 32 x 32 pixel bytes.
//
//   CIFAR-10   1 label byte (0..9)                                  + 3072 = 3073 bytes
//   CIFAR-100  1 coarse label (0..19), 1 fine label (0..99)         + 3072 = 3074 bytes
//
// Invariants
//   1. Any file whose size is a non-zero multiple of the record length is accepted, so a part of a set works as well.
//   2. A copy beside the file it was made of is not read. Notes name it, official files that are missing, and files that are
//      equal.
//   3. Every label is range-checked when the file is opened; an error names path, byte, expected and found.
// Thread rule: as Dataset.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace hv::data {

enum class CifarKind { cifar10, cifar100_fine, cifar100_coarse };

inline constexpr int64_t kCifarSide = 32;
inline constexpr int64_t kCifarPixels = 3 * kCifarSide * kCifarSide;

int64_t cifar_record_bytes(CifarKind kind);  // 3073 or 3074
int64_t cifar_label_bytes(CifarKind kind);   // 1 or 2

// The file that a run of records came from, for error messages.
struct CifarPiece {
  std::string path;
  int64_t bytes;
};

class CifarDataset : public Dataset {
 public:
  CifarDataset(CifarKind kind, Split split, std::unique_ptr<uint8_t[]> records, const std::vector<CifarPiece>& pieces);

  int64_t size() const override { return size_; }
  int64_t label(int64_t i) const override;
  void image(int64_t i, uint8_t* chw) const override;
  std::string checksum() const override;
  bool mixed_order() const override { return mixed_order_; }  // the official order, unless somebody sorted the records by class

  void set_name(std::string name) { name_ = std::move(name); }
  void set_class_names(std::vector<std::string> names);  // one per class
  void set_notes(std::vector<std::string> notes) { notes_ = std::move(notes); }
  void set_normalization(const Normalization& normalization) { normalization_ = normalization; }

 private:
  bool is_mixed() const;
  const uint8_t* record(int64_t i) const;
  std::unique_ptr<uint8_t[]> records_;
  int64_t size_ = 0, record_bytes_, label_at_, pixels_at_;
  bool mixed_order_ = true;
  mutable std::once_flag checksum_once_;
  mutable std::string checksum_;
};

// The files of one split, sorted: in `directory` or in its usual subfolder (cifar-10-batches-bin, cifar-100-binary).
//   train: data_batch_*.bin, else train*.bin     test: test_batch.bin, else test*.bin
inline constexpr const char* kCopyNote = ": not used: by its name the copy of another file";
struct CifarFiles {
  std::vector<std::string> paths;
  std::vector<std::string> copies;    // not in paths: "data_batch_1 (1).bin" beside data_batch_1.bin
  std::vector<std::string> problems;  // if this is the official set: files that are missing, of another size, or too many
};
CifarFiles find_cifar(const std::string& directory, CifarKind kind, Split split);
std::vector<std::string> cifar_files(const std::string& directory, CifarKind kind, Split split);  // the paths alone

DatasetPtr open_cifar(const std::string& directory, CifarKind kind, Split split);
DatasetPtr open_cifar_files(const std::vector<std::string>& paths, CifarKind kind, Split split,
                            std::vector<std::string> notes = {});

}  // namespace hv::data
