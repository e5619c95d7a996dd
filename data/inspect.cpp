#include "data/inspect.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <map>

#include "core/check.h"
#include "core/parallel.h"
#include "data/cifar.h"
#include "data/files.h"
#include "data/findings/findings.h"
#include "data/findings/split.h"
#include "data/folder.h"
#include "data/image.h"
#include "data/sha256.h"
#include "data/shapes10.h"

namespace hv::data {
namespace {

// The files of the official CIFAR-10 binary distribution and their SHA-256.
const std::map<std::string, std::string>& official_files() {
  static const std::map<std::string, std::string> files = {
      {"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
      {"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
      {"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
      {"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
      {"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
      {"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
  };
  return files;
}

bool is_official(const std::string& path, const std::string& sha256) {
  const auto file = official_files().find(std::filesystem::path(path).filename().string());
  return file != official_files().end() && file->second == sha256;
}

void verify_cifar(const std::string& directory, CifarKind kind, VerifyResult& result) {
  for (const Split split : {Split::train, Split::test}) {
    const CifarFiles files = find_cifar(directory, kind, split);
    if (files.paths.empty()) result.files.push_back({directory, 0, 0, "", false, concat("no ", split_name(split), " files")});
    std::map<std::string, std::string> same;  // the first file of each SHA-256
    for (const std::string& path : files.paths) {
      FileCheck check;
      check.path = path;
      try {
        check.bytes = file_bytes(path);
        check.sha256 = sha256_file(path);
        check.official = is_official(path, check.sha256);
        check.records = open_cifar_files({path}, kind, split)->size();
        result.images += check.records;
        const auto [first, is_new] = same.emplace(check.sha256, path);
        if (!is_new) check.problem = concat("the same as ", first->second, ": its images are there twice");
      } catch (const Error& error) {
        check.problem = error.what();
      }
      result.files.push_back(std::move(check));
    }
    for (const std::string& problem : files.problems) result.files.push_back({directory, 0, 0, "", false, problem});
    for (const std::string& path : files.copies) result.notes.push_back(path + kCopyNote);
  }
}

// Decodes each, and says what is wrong.
void verify_pictures(const std::vector<std::string>& paths, VerifyResult& result) {
  std::vector<std::string> problems(paths.size());
  std::vector<char> warned(paths.size());
  parallel_for(std::ssize(problems), [&](int64_t i) {  // no exception may leave the parallel region
    const auto at = static_cast<size_t>(i);
    try {
      warned[at] = load_image(paths[at]).warnings > 0;
    } catch (const std::exception& error) {
      problems[at] = error.what();
    }
  });
  for (size_t i = 0; i < problems.size(); ++i) {
    if (problems[i].empty()) ++result.images;
    result.warned += warned[i];
    if (warned[i] && result.first_warned.size() < 5) result.first_warned.push_back(paths[i]);
    if (!problems[i].empty()) result.files.push_back({paths[i], 0, 0, "", false, problems[i]});
  }
}

void verify_folder(const std::string& directory, VerifyResult& result) {
  for (const Split split : {Split::train, Split::test}) {
    FolderList list;
    try {
      list = list_folder(directory, split);
    } catch (const Error& error) {
      result.files.push_back({directory, 0, 0, "", false, error.what()});
    }
    for (const std::string& note : list.notes) {
      if (std::find(result.notes.begin(), result.notes.end(), note) == result.notes.end()) result.notes.push_back(note);
    }
    verify_pictures(list.paths, result);
  }
}

// Of all rows, also of those whose pictures are missing.
std::vector<SplitCounts> count_rows(const FindingsTable& table, const std::vector<Split>& splits) {
  std::vector<SplitCounts> all;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    LabelCounter counter(std::ssize(table.labels), true);
    for (int64_t i = 0; i < table.rows(); ++i) {
      if (splits[static_cast<size_t>(i)] == split) counter.add(table.labels_of(i), table.patient[static_cast<size_t>(i)]);
    }
    all.push_back({split, counter.counts()});
  }
  return all;
}

void verify_findings(const Source& source, VerifyResult& result) {
  const auto add = [&](const std::string& path, const std::string& problem) {
    result.files.push_back({path, 0, 0, "", false, problem});
  };
  const auto add_few = [&](int64_t& count, const std::string& path, const std::string& problem) {
    if (++count <= 10) add(path, problem);
  };
  try {
    const FindingsList list = list_findings(source.data);
    const FindingsTable& table = list.table;
    result.notes = list.notes;
    std::vector<std::string> paths;
    for (size_t i = 0; i < list.paths.size(); ++i) {
      if (!list.paths[i].empty()) {
        paths.push_back(list.paths[i]);
      } else {
        const std::string where = concat(table.name, ", line ", table.lines[i]);
        add_few(result.rows_without_picture, where, concat("no picture ", table.pictures[i]));
      }
    }
    for (const std::string& path : list.without_row) add_few(result.pictures_without_row, path, "no row in " + table.name);
    for (const auto& [first, second] : list.same_name) add_few(result.same_names, second, "has the name of " + first);
    VerifyResult pictures;
    verify_pictures(paths, pictures);
    result.images = pictures.images;
    result.warned = pictures.warned;
    result.first_warned = pictures.first_warned;
    for (const FileCheck& file : pictures.files) add_few(result.unreadable, file.path, file.problem);
    result.splits = count_rows(table, split_findings(table, source.data));
    result.class_names = table.labels;
  } catch (const Error& error) {
    add(source.data, error.what());
  }
}

void verify_built_in(const Source& source, VerifyResult& result) {
  std::vector<SplitCounts> splits = count_splits(source);
  for (const SplitCounts& one : splits) result.images += one.counts.images;
  if (!splits[0].counts.several) return;
  result.splits = std::move(splits);
  result.class_names = open(source, Split::test)->class_names();
}

// Of the pixels of an image and of their squares, per channel.
struct Sum {
  int64_t values = 0, squares = 0;
};
using Sums = std::array<Sum, 3>;

// Of every image. On all cores, because a large folder is decoded for it.
std::vector<Sums> sums_of(const Dataset& dataset) {
  std::vector<Sums> sums(static_cast<size_t>(dataset.size()));
  std::vector<std::exception_ptr> errors(sums.size());
  parallel_for(dataset.size(), [&](int64_t i) {  // no exception may leave the parallel region
    try {
      std::vector<uint8_t> pixels(static_cast<size_t>(dataset.image_bytes()));
      dataset.image(i, pixels.data());
      const size_t plane = pixels.size() / 3;
      for (size_t j = 0; j < pixels.size(); ++j) {
        Sum& sum = sums[static_cast<size_t>(i)][j < plane ? 0 : j < 2 * plane ? 1 : 2];
        sum.values += pixels[j];
        sum.squares += int64_t{pixels[j]} * pixels[j];
      }
    } catch (...) {
      errors[static_cast<size_t>(i)] = std::current_exception();  // allocates nothing
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return sums;
}

}  // namespace

VerifyResult verify(const Source& source) {
  VerifyResult result;
  result.name = resolve_kind(source);
  if (result.name == "cifar10")
    verify_cifar(source.data, CifarKind::cifar10, result);
  else if (result.name == "cifar100")
    verify_cifar(source.data, CifarKind::cifar100_fine, result);
  else if (result.name == "cifar100-coarse")
    verify_cifar(source.data, CifarKind::cifar100_coarse, result);
  else if (result.name == "folder")
    verify_folder(source.data, result);
  else if (result.name == "findings")
    verify_findings(source, result);
  else
    verify_built_in(source, result);
  const auto& files = result.files;
  result.ok =
      result.images > 0 && std::all_of(files.begin(), files.end(), [](const FileCheck& f) { return f.problem.empty(); });
  result.official = result.ok && result.notes.empty() && files.size() == official_files().size() &&
                    std::all_of(files.begin(), files.end(), [](const FileCheck& f) { return f.official; });
  return result;
}

Stats stats(const Dataset& dataset) {
  Stats result;
  result.name = dataset.name();
  result.images = dataset.size();
  result.height = dataset.height();
  result.width = dataset.width();
  result.class_names = dataset.class_names();
  result.counts = count_labels(dataset);
  result.checksum = dataset.checksum();
  const int64_t plane = dataset.height() * dataset.width();
  const std::vector<Sums> sums = sums_of(dataset);
  std::array<double, 3> sum{}, squares{};  // of whole numbers: exact
  for (int64_t i = 0; i < dataset.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) {
      const auto [s, q] = sums[static_cast<size_t>(i)][c];
      sum[c] += static_cast<double>(s);
      squares[c] += static_cast<double>(q);
      const double mean = static_cast<double>(s) / static_cast<double>(plane);
      result.image_std[c] +=
          std::sqrt(std::max(0.0, static_cast<double>(q) / static_cast<double>(plane) - mean * mean)) / 255.0;
    }
  }
  const auto images = static_cast<double>(dataset.size()), count = images * static_cast<double>(plane);
  for (size_t c = 0; c < 3; ++c) {
    const double mean = sum[c] / count;
    result.mean[c] = mean / 255.0;
    result.std[c] = std::sqrt(std::max(0.0, squares[c] / count - mean * mean)) / 255.0;
    result.image_std[c] /= images;
  }
  return result;
}

}  // namespace hv::data
