// Numbers and lists as people write them: reading and writing them does not depend on the locale.
#pragma once

#include <charconv>
#include <string>
#include <vector>

namespace hv::train {

// The whole text as one number. If it is anything else, the answer is false and `value` means nothing.
template <class Number>
bool parse_number(const std::string& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// The shortest text that is read back as the same number.
template <class Number>
std::string number_text(Number value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// "a,b," at ',' -> "a", "b", "". An empty text has one part, which is empty.
inline std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end = text.find(at); end != std::string::npos; end = text.find(at, begin)) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace hv::train
