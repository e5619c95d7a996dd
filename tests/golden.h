// Numbers that other systems' own code computed, as safetensors: HYDRAVIT_GOLDEN, else ../shared/golden, else tests/golden.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "train/exchange/safetensors.h"
#include "train/files/file.h"

namespace hv::test {

// "" if there is none.
inline std::string golden_path(const std::string& file) {
  const char* set = std::getenv("HYDRAVIT_GOLDEN");
  for (const std::string folder : {set ? set : "", "../shared/golden", "tests/golden"}) {
    const std::string path = folder + "/" + file + ".safetensors";
    if (!folder.empty() && train::file_exists(path)) return path;
  }
  return "";
}

// Says that a test is skipped if its numbers are not here.
inline bool have_golden(const std::string& file) {
  const bool here = !golden_path(file).empty();
  if (!here) MESSAGE("skipped: no golden numbers ", file, " (HYDRAVIT_GOLDEN, ../shared/golden or tests/golden)");
  return here;
}

struct Golden {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::vector<int64_t>> labels;  // of I64
  train::Metadata metadata;
  explicit Golden(const std::string& file) {
    const std::string path = golden_path(file);
    REQUIRE_MESSAGE(!path.empty(), "no golden file ", file);
    const train::SafetensorsHeader header = train::read_safetensors_header(path);
    metadata = header.metadata;
    std::set<std::string> whole_numbers;
    const std::string bytes = train::read_file(path, int64_t{1} << 26);
    uint64_t length;
    std::memcpy(&length, bytes.data(), sizeof length);
    for (const train::StoredTensor& t : header.tensors) {
      if (t.dtype != "I64") continue;
      whole_numbers.insert(t.name);
      std::vector<int64_t>& values = labels[t.name];
      values.resize(static_cast<size_t>(numel(t.shape)));
      std::memcpy(values.data(), bytes.data() + 8 + length + t.begin, sizeof(int64_t) * values.size());
    }
    const auto wanted = [&](const std::string& name) { return whole_numbers.count(name) == 0; };
    for (const auto& t : train::load_safetensors(path, wanted)) tensors[t.name] = t.value;
  }
  const Tensor& operator[](const std::string& name) const {
    REQUIRE_MESSAGE(tensors.count(name) == 1, "no golden tensor ", name);
    return tensors.at(name);
  }
  int64_t whole(const std::string& name) const { return std::stoll(metadata.at(name)); }
};

// max |found - expected| / max |expected|
inline double relative(const Tensor& found, const Tensor& expected) {
  REQUIRE(found.numel() == expected.numel());
  const std::vector<double> a = found.to_vector(), b = expected.to_vector();
  double difference = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = std::isnan(a[i]) ? INFINITY : std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return largest > 0 ? difference / largest : difference;
}

// The bounds that come with the numbers.
inline constexpr double kLogits = 1e-5, kLosses = 1e-6, kGradients = 2e-5;

}  // namespace hv::test
