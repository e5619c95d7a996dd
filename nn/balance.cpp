#include "nn/balance.h"

#include <algorithm>
#include <cmath>

namespace hv::nn {
namespace {

// (1 - beta^m) / (1 - beta), without the cancellation of its formula near beta = 1.
double effective_number(int64_t m, double beta) {
  return beta > 0 ? std::expm1(static_cast<double>(m) * std::log(beta)) / (beta - 1) : 1;
}

}  // namespace

const std::vector<std::string>& balance_kinds() {
  static const std::vector<std::string> kinds = {"none", "inverse", "effective"};
  return kinds;
}

LabelWeights balance_weights(const std::string& kind, std::span<const int64_t> positives, int64_t pictures, double beta) {
  const auto& kinds = balance_kinds();
  HV_CHECK_USAGE(std::find(kinds.begin(), kinds.end(), kind) != kinds.end(), "balance: '", kind,
                 "': expected none, inverse or effective");
  HV_CHECK_USAGE(beta >= 0 && beta < 1, "balance: beta must be at least 0 and below 1: ", beta);
  std::vector<double> yes, no;
  for (const int64_t n1 : positives) {
    const int64_t n0 = pictures - n1;
    HV_CHECK(n1 >= 0 && n0 >= 0, "balance: ", n1, " pictures with a label, of ", pictures);
    double a = 1, b = 1;
    if (n1 > 0 && n0 > 0 && kind != "none") {
      const auto number = [&](int64_t m) { return kind == "inverse" ? static_cast<double>(m) : effective_number(m, beta); };
      a = 1 / number(n1);
      b = 1 / number(n0);
      const double mean = (static_cast<double>(n1) * a + static_cast<double>(n0) * b) / static_cast<double>(pictures);
      a /= mean;
      b /= mean;
    }
    yes.push_back(a);
    no.push_back(b);
  }
  const Shape labels{std::ssize(positives)};
  return {Tensor::from(yes, labels), Tensor::from(no, labels)};
}

}  // namespace hv::nn
