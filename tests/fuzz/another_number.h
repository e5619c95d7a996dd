// For mutators of texts: most changes of bytes end in a text that is refused at once, another number often does not.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace hv::fuzz {

// One number of the text becomes another, or several.
inline std::string with_another_number(const std::string& text, unsigned seed) {
  constexpr const char* kDigits = "0123456789";
  static const std::vector<std::string> others{"0",
                                               "1",
                                               "2",
                                               "3",
                                               "4",
                                               "5",
                                               "8",
                                               "64",
                                               "-1",
                                               "1.5",
                                               "1e400",
                                               "2147483648",
                                               "4294967296",
                                               "4611686018427387904",
                                               "9223372036854775807",
                                               "18446744073709551615",
                                               "1,1",
                                               "1,1,1,1,1,1,1,1,1"};
  std::vector<size_t> numbers;
  for (size_t at = text.find_first_of(kDigits); at != std::string::npos;
       at = text.find_first_of(kDigits, text.find_first_not_of(kDigits, at))) {
    numbers.push_back(at);
  }
  if (numbers.empty()) return text;
  const size_t begin = numbers[seed % numbers.size()], end = std::min(text.find_first_not_of(kDigits, begin), text.size());
  return text.substr(0, begin) + others[seed / 64 % others.size()] + text.substr(end);
}

}  // namespace hv::fuzz
