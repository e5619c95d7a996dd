#include "data/inspect.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "data/cifar.h"
#include "data/files.h"
#include "data/folder.h"
#include "data/image.h"
#include "data/sha256.h"
#include "data/shapes10.h"

namespace hv::data {
namespace {

// SHA-256 of the files of the official CIFAR-10 binary distribution.
bool is_official(const std::string& sha256) {
  static const char* const kOfficial[] = {
      "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",  // data_batch_1.bin
      "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
      "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
      "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
      "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",  // data_batch_5.bin
      "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",  // test_batch.bin
  };
  return std::find(std::begin(kOfficial), std::end(kOfficial), sha256) != std::end(kOfficial);
}

void verify_cifar(const std::string& directory, CifarKind kind, VerifyResult& result) {
  for (const Split split : {Split::train, Split::test}) {
    const std::vector<std::string> paths = cifar_files(directory, kind, split);
    if (paths.empty()) result.files.push_back({directory, 0, 0, "", false, concat("no ", split_name(split), " files")});
    for (const std::string& path : paths) {
      FileCheck check;
      check.path = path;
      try {
        check.bytes = file_bytes(path);
        check.sha256 = sha256_file(path);
        check.official = is_official(check.sha256);
        check.records = open_cifar_files({path}, kind, split)->size();
        result.images += check.records;
      } catch (const Error& error) {
        check.problem = error.what();
      }
      result.files.push_back(std::move(check));
    }
  }
}

void verify_folder(const std::string& directory, VerifyResult& result) {
  for (const Split split : {Split::train, Split::test}) {
    std::vector<std::string> paths;
    try {
      paths = list_folder(directory, split).paths;
    } catch (const Error& error) {
      result.files.push_back({directory, 0, 0, "", false, error.what()});
    }
    for (const std::string& path : paths) {
      try {
        load_image(path);
        ++result.images;
      } catch (const Error& error) {
        result.files.push_back({path, 0, 0, "", false, error.what()});
      }
    }
  }
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
  else
    result.images = open(source, Split::train)->size() + open(source, Split::test)->size();
  const auto& files = result.files;
  result.ok =
      result.images > 0 && std::all_of(files.begin(), files.end(), [](const FileCheck& f) { return f.problem.empty(); });
  result.official =
      result.ok && !files.empty() && std::all_of(files.begin(), files.end(), [](const FileCheck& f) { return f.official; });
  return result;
}

Stats stats(const Dataset& dataset) {
  Stats result;
  result.name = dataset.name();
  result.images = dataset.size();
  result.height = dataset.height();
  result.width = dataset.width();
  result.class_names = dataset.class_names();
  result.class_counts.assign(result.class_names.size(), 0);
  result.checksum = dataset.checksum();
  std::vector<uint8_t> pixels(static_cast<size_t>(dataset.image_bytes()));
  const int64_t plane = dataset.height() * dataset.width();
  std::array<double, 3> sum{}, squares{};  // of whole numbers: exact
  for (int64_t i = 0; i < dataset.size(); ++i) {
    ++result.class_counts[static_cast<size_t>(dataset.label(i))];
    dataset.image(i, pixels.data());
    const uint8_t* p = pixels.data();
    for (size_t c = 0; c < 3; ++c) {
      int64_t s = 0, q = 0;
      for (int64_t j = 0; j < plane; ++j, ++p) {
        s += *p;
        q += int64_t{*p} * *p;
      }
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
