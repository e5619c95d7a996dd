// tests/parity/label_numbers.txt: losses and scores that PyTorch and scikit-learn computed (make_label_numbers.py).
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/worse.h"

namespace hv::test {

class LabelNumbers {
 public:
  LabelNumbers() {
    std::ifstream in("tests/parity/label_numbers.txt");
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string name, value;
      size_t count = 0;
      if (line.starts_with("#") || !(words >> name >> count)) continue;
      std::vector<double>& values = all_[name];
      while (words >> value) values.push_back(std::stod(value));
      REQUIRE(values.size() == count);
    }
    REQUIRE_MESSAGE(!all_.empty(), "no numbers in tests/parity/label_numbers.txt; run from the top of the repository");
  }
  const std::vector<double>& list(const std::string& name) const { return all_.at(name); }
  double operator[](const std::string& name) const { return all_.at(name).at(0); }
  std::vector<std::string> cases() const {  // of scores: "plain", "ties", ...
    std::vector<std::string> names;
    for (const auto& [name, values] : all_) {
      const size_t at = name.find("_auroc");
      if (at != std::string::npos) names.push_back(name.substr(6, at - 6));
    }
    return names;
  }

 private:
  std::map<std::string, std::vector<double>> all_;
};

// max |found - expected| / max(1, max |expected|)
inline double apart(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  double difference = 0, largest = 1;
  for (size_t i = 0; i < found.size(); ++i) {
    difference = worse(difference, std::abs(found[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return difference / largest;
}

}  // namespace hv::test
