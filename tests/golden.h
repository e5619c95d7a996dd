// Numbers that other systems' own code computed, as safetensors: HYDRAVIT_GOLDEN, else ../shared/golden, else the shorter
// copies in tests/golden. A system's files come from one folder, the first that has any.
//
// What a test takes from a file is noted, so that a test can ask at its end what nobody has compared (unread).
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/golden/compact.h"
#include "tests/worse.h"
#include "train/exchange/safetensors.h"
#include "train/files/file.h"

namespace hv::test {

// Of "scala" or "scala/weights"; "" if no folder has this system.
inline std::string golden_folder(const std::string& file) {
  const std::string system = file.substr(0, file.find('/'));
  const char* set = std::getenv("HYDRAVIT_GOLDEN");
  const std::string chosen = set ? set : "";
  REQUIRE_MESSAGE((chosen.empty() || std::filesystem::is_directory(chosen)), "HYDRAVIT_GOLDEN: no folder ", chosen);
  for (const std::string& folder : {chosen, std::string("../shared/golden"), std::string("tests/golden")}) {
    if (!folder.empty() && std::filesystem::is_directory(folder + "/" + system)) return folder;
  }
  return "";
}

// Says that a test is skipped if nothing of the system is here. A folder that lacks a file of it is an error later.
inline bool have_golden(const std::string& file) {
  const bool here = !golden_folder(file).empty();
  if (!here) MESSAGE("skipped: no golden numbers ", file, " (HYDRAVIT_GOLDEN, ../shared/golden or tests/golden)");
  return here;
}

using Names = std::set<std::string>;
inline Names& read_of(const std::string& file) {  // what tests have taken from "scala/weights"
  static std::map<std::string, Names> read;
  return read[file];
}

// By name. Whatever is asked for must be there.
template <class T>
struct Named {
  std::string file;
  std::map<std::string, T> values{};
  size_t count(const std::string& name) const { return values.count(name); }
  const T& at(const std::string& name) const {
    REQUIRE_MESSAGE(count(name) == 1, "no golden tensor ", name, " in ", file);
    read_of(file).insert(name);
    return values.at(name);
  }
};

struct Golden {
  Named<Tensor> tensors;
  Named<std::vector<int64_t>> labels;  // of I64 and U8
  train::Metadata metadata;

  explicit Golden(const std::string& file) : tensors{file}, labels{file} {
    const std::string path = golden_folder(file) + "/" + file + ".safetensors";
    REQUIRE_MESSAGE(train::file_exists(path), "no golden file ", path);
    const train::SafetensorsHeader header = train::read_safetensors_header(path);
    metadata = header.metadata;
    const std::string bytes = train::read_file(path, int64_t{1} << 26);
    uint64_t length;
    std::memcpy(&length, bytes.data(), sizeof length);
    for (const train::StoredTensor& t : header.tensors) {
      if (t.dtype != "I64" && t.dtype != "U8") continue;
      std::vector<int64_t>& values = labels.values[t.name];
      values.resize(static_cast<size_t>(numel(t.shape)));
      const char* const from = bytes.data() + 8 + length + t.begin;
      if (t.dtype == "I64") std::memcpy(values.data(), from, sizeof(int64_t) * values.size());
      if (t.dtype == "U8") std::copy_n(reinterpret_cast<const uint8_t*>(from), values.size(), values.begin());
    }
    const auto wanted = [&](const std::string& name) { return labels.count(name) == 0; };
    for (const auto& t : train::load_safetensors(path, wanted)) tensors.values[t.name] = t.value;
    for (const auto& [key, names] : metadata) {
      if (key.rfind(kSameIn, 0) != 0) continue;
      const Golden other(file.substr(0, file.find('/') + 1) + key.substr(std::strlen(kSameIn)));
      std::istringstream words(names);
      for (std::string name; words >> name;) {
        REQUIRE_MESSAGE(other.tensors.count(name) + other.labels.count(name) == 1, path, ": same_in: no ", name);
        if (other.labels.count(name)) labels.values[name] = other.labels.values.at(name);
        if (other.tensors.count(name)) tensors.values[name] = other.tensors.values.at(name);
      }
    }
  }
  const Tensor& operator[](const std::string& name) const { return tensors.at(name); }
  int64_t whole(const std::string& name) const { return std::stoll(metadata.at(name)); }
};

// True for the first caller. The parts of a system's tests are functions that begin with it. So each runs once, for its own
// test case or before the system's last one asks for unread(), whatever tests were chosen, in whatever order.
inline bool first_time(const std::string& part) {
  static Names parts;
  return parts.insert(part).second;
}

// What no test has taken, as "file: tensor": "" after the tests of a system have run.
inline std::string unread(const std::string& system) {
  std::string names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder(system) + "/" + system)) {
    if (entry.path().extension() != ".safetensors") continue;
    const std::string file = system + "/" + entry.path().stem().string();
    const Names read = read_of(file);
    const Golden golden(file);
    const auto look = [&](const std::string& name) { names += read.count(name) ? "" : file + ": " + name + "\n"; };
    for (const auto& [name, ignored] : golden.tensors.values) look(name);
    for (const auto& [name, ignored] : golden.labels.values) look(name);
  }
  return names;
}

// Of `whole`, the numbers that a golden tensor holds of it: all, or those of a shorter copy (compact.h).
inline std::vector<double> held_by(const Tensor& golden, const Tensor& whole) {
  const std::vector<double> all = whole.to_vector();
  if (golden.numel() == whole.numel()) return all;
  REQUIRE_MESSAGE((whole.numel() > kWhole && golden.shape() == Shape{(whole.numel() + kEvery - 1) / kEvery}),
                  "a golden tensor of ", concat(golden.shape()), " for ", concat(whole.shape()));
  std::vector<double> some;
  for (size_t i = 0; i < all.size(); i += kEvery) some.push_back(all[i]);
  return some;
}

// max |found - expected| / max |expected|
inline double relative(const Tensor& found, const Tensor& expected) {
  const std::vector<double> a = held_by(expected, found), b = expected.to_vector();
  double difference = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = worse(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return largest > 0 ? difference / largest : difference;
}

// |found - expected| / max(1, |expected|): of losses, entropies and other single numbers
inline double deviation(const Tensor& found, const Tensor& expected) {
  const double b = expected.item();
  return worse(0, std::abs(found.item() - b) / std::max(1.0, std::abs(b)));
}

// How far weights are off after AdamW, in steps of `lr`. Where a gradient is rounding noise around zero, the noise alone
// decides where AdamW goes, so less is asked there. A golden gradient of exactly 0 belongs to a weight that took no part, so
// there is no noise.
struct UpdateError {
  double clear = 0;     // where the gradient is 0 or |gradient| >= 1e-5: beyond 2 ulp of the weight
  double anywhere = 0;  // all numbers
  double share = 0;     // of all numbers, those with a clear gradient
};
inline UpdateError update_error(const Tensor& found, const Tensor& expected, const Tensor& gradient, double lr) {
  const std::vector<double> a = held_by(expected, found), b = expected.to_vector(), slope = gradient.to_vector();
  REQUIRE(slope.size() == b.size());
  UpdateError error;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    error.anywhere = worse(error.anywhere, difference / lr);
    if (slope[i] != 0 && std::abs(slope[i]) < 1e-5) continue;
    error.clear = worse(error.clear, (difference - 0x1p-22 * std::abs(b[i])) / lr);
    error.share += 1 / static_cast<double>(a.size());
  }
  return error;
}

// The bounds that come with the numbers.
inline constexpr double kLogits = 1e-5, kLosses = 1e-6, kGradients = 2e-5, kClearUpdate = 1e-4, kAnyUpdate = 1.01;

}  // namespace hv::test
