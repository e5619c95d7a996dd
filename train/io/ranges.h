// Lists of numbers and ranges as people write them: "5", "3-8", "3,5,8", "0.25-0.5,1".
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

struct NumberRange {
  double first = 0, last = 0;  // equal: a single number
};
// The parts of a list, as written. Nothing if the text is no such list of positive numbers.
std::vector<NumberRange> parse_ranges(const std::string& text);

// A list of whole numbers (1 to 1024), ranges spelled out, in ascending order. A number given twice is an error. The text of an
// error (Fault::usage) begins with `option`.
std::vector<int64_t> parse_heads(const std::string& option, const std::string& text);

// Which of `values`, in ascending order, a list names. If they are whole numbers one after another, a range means every number
// in it; of other values (0.25, 0.3125, ..., 1) it means those that lie in it. A number that is none of them, or a range of
// none, is an error (Fault::usage): "<option>: 9 is outside <whose>2 to 6 <unit>".
std::vector<bool> choose_values(const std::string& option, const std::string& text, const std::vector<double>& values,
                                const std::string& whose, const std::string& unit);

}  // namespace hv::train
