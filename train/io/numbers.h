// Numbers and lists as people write them: reading and writing them does not depend on the locale.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace hv::train {

// The whole text as one number. If it is anything else, the answer is false and `value` means nothing.
template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// The shortest text that is read back as the same number.
template <class Number>
std::string number_text(Number value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// "a,b," at ',' -> "a", "b", "". An empty text has one part, which is empty. For texts of any size: nothing is kept.
template <class Take>
void each_part(std::string_view text, char at, Take&& take) {
  size_t begin = 0;
  for (size_t end = text.find(at); end != std::string_view::npos; end = text.find(at, begin)) {
    take(text.substr(begin, end - begin));
    begin = end + 1;
  }
  take(text.substr(begin));
}

// The same parts in a list, which needs 32 bytes per part: for short texts.
inline std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  each_part(text, at, [&](std::string_view part) { parts.emplace_back(part); });
  return parts;
}

}  // namespace hv::train
