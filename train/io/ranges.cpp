#include "train/io/ranges.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "train/io/numbers.h"

namespace hv::train {
namespace {

bool whole_numbers(const std::vector<double>& values) {  // 3, 4, 5, ...
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] != values[i - 1] && values[i] != values[i - 1] + 1) return false;
  }
  return std::floor(values.front()) == values.front();
}

// A value is named by what tables show of it, too: 0.0833333 means 1/12.
bool within(double value, const NumberRange& range) {
  const std::string shown = concat(value);
  return (value >= range.first && value <= range.last) || shown == concat(range.first) || shown == concat(range.last);
}

std::string list(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += concat(text.empty() ? "" : ", ", value);
  return text;
}

}  // namespace

std::vector<NumberRange> parse_ranges(const std::string& text) {
  std::vector<NumberRange> ranges;
  for (const std::string& part : split(text, ',')) {
    const size_t dash = part.find('-', 1);
    NumberRange range;
    const bool good = dash == std::string::npos
                          ? parse_number(part, range.first) && parse_number(part, range.last)
                          : parse_number(part.substr(0, dash), range.first) && parse_number(part.substr(dash + 1), range.last);
    if (!good || !std::isfinite(range.last) || !(range.first > 0) || range.first > range.last) return {};
    ranges.push_back(range);
  }
  return ranges;
}

std::vector<int64_t> parse_heads(const std::string& option, const std::string& text) {
  const std::vector<NumberRange> ranges = parse_ranges(text);
  bool good = !ranges.empty();
  for (const NumberRange& r : ranges) {
    good = good && r.last <= 1024 && std::floor(r.first) == r.first && std::floor(r.last) == r.last;
  }
  HV_CHECK_USAGE(good, option, ": '", text, "' is no list of heads; write 3-8, 3,5,8 or all");
  std::vector<int64_t> heads;
  for (const NumberRange& r : ranges) {
    for (auto k = static_cast<int64_t>(r.first); k <= static_cast<int64_t>(r.last); ++k) heads.push_back(k);
  }
  std::sort(heads.begin(), heads.end());
  HV_CHECK_USAGE(std::adjacent_find(heads.begin(), heads.end()) == heads.end(), option, ": '", text,
                 "' names a width twice; use --weights to draw one more often");
  return heads;
}

std::vector<bool> choose_values(const std::string& option, const std::string& text, const std::vector<double>& values,
                                const std::string& whose, const std::string& unit) {
  const bool whole = whole_numbers(values);
  std::vector<NumberRange> ranges;
  if (whole) {
    for (const int64_t k : parse_heads(option, text)) ranges.push_back({static_cast<double>(k), static_cast<double>(k)});
  } else {
    ranges = parse_ranges(text);
  }
  const double least = values.front(), most = values.back();
  HV_CHECK_USAGE(!ranges.empty(), option, ": '", text, "' is no list of values of ", unit, "; write ", least, "-", most, ", ",
                 least, ",", most, " or all");
  std::vector<bool> named(values.size());
  for (const NumberRange& range : ranges) {
    bool found = false;
    for (size_t i = 0; i < values.size(); ++i) {
      if (!within(values[i], range)) continue;
      HV_CHECK_USAGE(!named[i], option, ": '", text, "' names a width twice; use --weights to draw one more often");
      found = named[i] = true;
    }
    HV_CHECK_USAGE(found, option, ": ", range.first, range.first == range.last ? "" : concat("-", range.last), " is outside ",
                   whose, whole ? concat(least, " to ", most) : list(values), " ", unit);
  }
  return named;
}

}  // namespace hv::train
