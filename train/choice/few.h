// Which subnetworks the evaluations of a training measure before its end. All of many would take longer than the training
// between two evaluations.
//
// The rule, of more than kFew subnetworks: the full one of each width (of the first axis: the last one with that value), or of
// more widths than there is room for, some, evenly spread from the narrowest to the widest; and the cheapest view of the widest
// (its first one), if that has several. So best.ckpt, which is chosen by their mean, follows every width, and what few tokens
// do.
// Thread rule: pure functions.
#pragma once

#include "train/choice/choose.h"

namespace hv::train {

inline constexpr const char* kFewOption = "eval-subnets";
inline constexpr size_t kFew = 8;

// In the order of `all`. `patterns` is the option's text: "" follows the rule, "all" is all.
std::vector<models::Subnet> few_subnets(const std::vector<models::Subnet>& all, const std::string& patterns = "");

// At most `most` of the things (2 or more), evenly chosen, the first and the last among them.
std::vector<size_t> evenly(std::vector<size_t> things, size_t most);

}  // namespace hv::train
