#include "data/cifar.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <filesystem>

#include "core/check.h"
#include "core/parallel.h"
#include "data/checksum.h"
#include "data/files.h"

namespace hv::data {
namespace {

struct Kind {
  const char* name;
  const char* folder;      // the usual subfolder
  const char* names_file;  // one class name per line
  const char* package;     // what `data get` calls it
  int64_t classes, label_bytes, label_at;
  Normalization normalization;  // of the whole official training split, over pixels (data/inspect.h recomputes it)
};

const Kind& describe(CifarKind kind) {
  static constexpr Normalization kTen{{0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}};
  static constexpr Normalization kHundred{{0.5071, 0.4867, 0.4408}, {0.2675, 0.2565, 0.2761}};
  static const Kind kinds[] = {
      {"cifar10", "cifar-10-batches-bin", "batches.meta.txt", "cifar10", 10, 1, 0, kTen},
      {"cifar100", "cifar-100-binary", "fine_label_names.txt", "cifar100", 100, 2, 1, kHundred},
      {"cifar100-coarse", "cifar-100-binary", "coarse_label_names.txt", "cifar100", 20, 2, 0, kHundred},
  };
  return kinds[static_cast<size_t>(kind)];
}

constexpr const char* kBatch = "data_batch_";

std::vector<std::string> numbers(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

// "data_batch_1 (1).bin", "data_batch_1 - Copy.bin": what browsers and file managers call the copy of a file. Batches of
// CIFAR-10 have a number and nothing else.
bool is_copy_name(const std::string& name, const std::string& prefix) {
  const std::string rest = name.substr(prefix.size(), name.size() - prefix.size() - 4);  // without .bin
  if (prefix == kBatch) return rest.empty() || rest.find_first_not_of("0123456789") != std::string::npos;
  return rest.find_first_of(" (~") != std::string::npos || rest.find("copy") != std::string::npos;
}

// Names that begin with `prefix` and end in .bin, with the directory in front. Copies are used only if there is nothing else.
CifarFiles matching(const std::string& directory, const std::string& prefix) {
  CifarFiles found;
  for (const std::string& name : list_directory(directory, false)) {
    if (!name.starts_with(prefix) || !name.ends_with(".bin") || name.size() < prefix.size() + 4) continue;
    (is_copy_name(name, prefix) ? found.copies : found.paths).push_back(join(directory, name));
  }
  if (found.paths.empty()) found.paths.swap(found.copies);
  return found;
}

// The set is taken for the official one if any of its batches has the official name and size; a small set of one's own has not.
// Then each of the five must be there and have that size, and there is no other.
std::vector<std::string> official_problems(const std::string& directory, const std::vector<std::string>& paths) {
  const int64_t bytes = 10000 * cifar_record_bytes(CifarKind::cifar10);
  std::vector<std::string> problems, names;
  for (int number = 1; number <= 5; ++number) names.push_back(join(directory, concat(kBatch, number, ".bin")));
  bool official = false;
  for (const std::string& path : names) {
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
      problems.push_back(path + ": missing: the official set has 5 such files; fetch it with `data get cifar10`");
    } else if (file_bytes(path) == bytes) {
      official = true;
    } else {
      problems.push_back(
          concat(path, ": ", file_bytes(path), " bytes, the official file has ", bytes, "; fetch it with `data get cifar10`"));
    }
  }
  for (const std::string& path : paths) {
    if (std::find(names.begin(), names.end(), path) == names.end())
      problems.push_back(path + ": no file of the official set, but used with it; remove it if it is not wanted");
  }
  return official ? problems : std::vector<std::string>{};
}

}  // namespace

int64_t cifar_label_bytes(CifarKind kind) { return describe(kind).label_bytes; }
int64_t cifar_record_bytes(CifarKind kind) { return cifar_label_bytes(kind) + kCifarPixels; }

CifarDataset::CifarDataset(CifarKind kind, Split split, std::unique_ptr<uint8_t[]> records,
                           const std::vector<CifarPiece>& pieces)
    : records_(std::move(records)),
      record_bytes_(cifar_record_bytes(kind)),
      label_at_(describe(kind).label_at),
      pixels_at_(describe(kind).label_bytes) {
  const Kind& about = describe(kind);
  name_ = about.name;
  split_ = split;
  class_names_ = numbers(about.classes);
  height_ = width_ = kCifarSide;
  normalization_ = about.normalization;
  const uint8_t* piece_begin = records_.get();
  for (const CifarPiece& piece : pieces) {
    for (int64_t at = label_at_; at < piece.bytes; at += record_bytes_)
      HV_CHECK_INPUT(piece_begin[at] < about.classes, piece.path, ": label out of range: byte ", at, ": expected 0 to ",
                     about.classes - 1, ", found ", int{piece_begin[at]}, ": the file is damaged or no ", about.name,
                     " file; fetch it again");
    piece_begin += piece.bytes;
    size_ += piece.bytes / record_bytes_;
  }
  mixed_order_ = is_mixed();
}

void CifarDataset::set_class_names(std::vector<std::string> names) {
  HV_CHECK_INPUT(names.size() == class_names_.size(), name_, ": ", names.size(), " class names for ", class_names_.size(),
                 " classes");
  class_names_ = std::move(names);
}

const uint8_t* CifarDataset::record(int64_t i) const {
  HV_CHECK(i >= 0 && i < size_, name_, ": image ", i, " of ", size_);
  return records_.get() + i * record_bytes_;
}

// If the records are sorted by class, nearly all neighbours are of one class; if they are mixed, a share of sum(p^2) is, where
// p are the shares of the classes. The line is drawn in the middle.
bool CifarDataset::is_mixed() const {
  std::vector<double> share(class_names_.size(), 0);
  double same = 0, expected = 0;
  for (int64_t i = 0; i < size_; ++i) {
    share[static_cast<size_t>(label(i))] += 1 / static_cast<double>(size_);
    same += i > 0 && label(i) == label(i - 1) ? 1 / static_cast<double>(size_) : 0;
  }
  for (const double p : share) expected += p * p;
  return same <= (1 + expected) / 2;
}

int64_t CifarDataset::label(int64_t i) const { return record(i)[label_at_]; }

void CifarDataset::image(int64_t i, uint8_t* chw) const { std::memcpy(chw, record(i) + pixels_at_, kCifarPixels); }

std::string CifarDataset::checksum() const {
  std::call_once(checksum_once_, [&] {
    checksum_ = hex64(xxh64({records_.get(), static_cast<size_t>(size_ * record_bytes_)}));
  });
  return checksum_;
}

CifarFiles find_cifar(const std::string& directory, CifarKind kind, Split split) {
  const bool train = split == Split::train;
  for (const std::string& place : {directory, join(directory, describe(kind).folder)}) {
    CifarFiles found;
    if (kind == CifarKind::cifar10) found = matching(place, train ? kBatch : "test_batch");
    if (train && !found.paths.empty()) found.problems = official_problems(place, found.paths);
    if (found.paths.empty()) found = matching(place, train ? "train" : "test");
    if (!found.paths.empty()) return found;
  }
  return {};
}

std::vector<std::string> cifar_files(const std::string& directory, CifarKind kind, Split split) {
  return find_cifar(directory, kind, split).paths;
}

DatasetPtr open_cifar(const std::string& directory, CifarKind kind, Split split) {
  const Kind& about = describe(kind);
  const CifarFiles files = find_cifar(directory, kind, split);
  HV_CHECK_INPUT(!files.paths.empty(), about.name, ": no ", split_name(split), " files in ", directory, " or ",
                 join(directory, about.folder), ": expected ",
                 split == Split::train ? "data_batch_*.bin or train*.bin" : "test_batch.bin or test*.bin",
                 "; fetch them with `data get ", about.package, "` or name another directory");
  std::vector<std::string> notes;
  for (const std::string& path : files.copies) notes.push_back(path + kCopyNote);
  notes.insert(notes.end(), files.problems.begin(), files.problems.end());
  return open_cifar_files(files.paths, kind, split, std::move(notes));
}

DatasetPtr open_cifar_files(const std::vector<std::string>& paths, CifarKind kind, Split split,
                            std::vector<std::string> notes) {
  const Kind& about = describe(kind);
  const int64_t record = cifar_record_bytes(kind);
  HV_CHECK_INPUT(!paths.empty(), about.name, ": no files given");
  std::vector<CifarPiece> pieces;
  std::vector<int64_t> starts;
  int64_t total = 0;
  for (const std::string& path : paths) {
    const int64_t bytes = file_bytes(path);
    HV_CHECK_INPUT(bytes > 0 && bytes % record == 0, path, ": no whole number of records: expected a multiple of ", record,
                   " bytes, found ", bytes, " (the last record begins at byte ", bytes / record * record,
                   "): the file is cut short or no ", about.name, " file; fetch it again");
    pieces.push_back({path, bytes});
    starts.push_back(total);
    total += bytes;
  }
  // Left uninitialised, because every byte is read next. Files are read in parallel; errors are thrown after that region.
  auto records = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(total));
  std::vector<std::exception_ptr> errors(paths.size());
  parallel_for(static_cast<int64_t>(paths.size()), [&](int64_t i) {
    const auto f = static_cast<size_t>(i);
    try {
      read_exactly(paths[f], records.get() + starts[f], pieces[f].bytes);
    } catch (...) {
      errors[f] = std::current_exception();  // allocates nothing
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }

  for (size_t later = 1; later < paths.size(); ++later) {
    for (size_t f = 0; f < later; ++f) {
      if (pieces[f].bytes == pieces[later].bytes &&
          std::memcmp(records.get() + starts[f], records.get() + starts[later], static_cast<size_t>(pieces[f].bytes)) == 0)
        notes.push_back(concat(paths[later], ": the same as ", paths[f], ": its images are there twice"));
    }
  }
  auto dataset = std::make_shared<CifarDataset>(kind, split, std::move(records), pieces);
  dataset->set_notes(std::move(notes));
  const std::string list = (std::filesystem::path(paths[0]).parent_path() / about.names_file).string();
  std::error_code ignored;
  if (std::filesystem::exists(list, ignored)) {
    std::vector<std::string> lines = read_lines(list);
    HV_CHECK_INPUT(static_cast<int64_t>(lines.size()) == about.classes, list, ": expected ", about.classes,
                   " class names, one a line, found ", lines.size(), ": correct the file or remove it");
    for (const std::string& line : lines) check_class_name(line, list);
    dataset->set_class_names(std::move(lines));
  }
  return dataset;
}

}  // namespace hv::data
