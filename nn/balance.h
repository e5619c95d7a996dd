// Class balance: weights for a loss per label (core/ops.h, LabelWeights), from how many of the training pictures have it.
//
//   none       every weight is 1
//   inverse    a = n / (2 n1), b = n / (2 n0): inverse frequency. Pictures with a label weigh as much, in sum, as those without
//   effective  a = c / E(n1), b = c / E(n0), where E(m) = (1 - beta^m) / (1 - beta) is the "effective number" of m pictures
//              (Cui et al. 2019, arXiv 1901.05555, proposition 1), and c makes the mean weight 1
// with n1 pictures that have the label, n0 = n - n1 that do not, a for a target 1 and b for a target 0.
//
// Invariants
//   1. The mean of a label's weights over the n pictures is 1. So a rare label counts as much as a frequent one, and the
//      learning rate need not change. (Cui et al. scale the sum over classes, because their classes exclude each other.)
//   2. A label that all pictures have, or none, has weights 1.
//   3. `effective` with beta -> 1 is `inverse`, with beta = 0 it is `none`.
// Thread rule: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/ops.h"

namespace hv::nn {

inline constexpr double kBalanceBeta = 0.999;

const std::vector<std::string>& balance_kinds();  // "none", "inverse", "effective"
// positives: pictures with each label, of `pictures` in all. Unknown kinds and impossible counts are errors.
LabelWeights balance_weights(const std::string& kind, std::span<const int64_t> positives, int64_t pictures,
                             double beta = kBalanceBeta);

}  // namespace hv::nn
