#include "train/io/printable.h"

namespace hv::train {

bool is_control(const std::string& text, size_t i) {
  const auto byte = [&](size_t j) { return static_cast<unsigned char>(text[j]); };
  return byte(i) < 0x20 || byte(i) == 0x7F || (byte(i) == 0xC2 && i + 1 < text.size() && byte(i + 1) < 0xA0);
}

std::string printable(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!is_control(text, i)) continue;
    if (static_cast<unsigned char>(text[i]) == 0xC2) text.erase(i, 1);
    text[i] = ' ';
  }
  return text;
}

std::string valid_utf8(const std::string& text) {
  std::string valid;
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t j) { return j < text.size() ? static_cast<unsigned char>(text[j]) : 0u; };
    const unsigned first = byte(i);
    size_t length = 0;  // of a character that begins with this byte; 0: none does
    if (first < 0x80) length = 1;
    if (first >= 0xC2 && first < 0xE0) length = 2;
    if (first >= 0xE0 && first < 0xF0) length = 3;
    if (first >= 0xF0 && first < 0xF5) length = 4;
    bool good = length > 0;
    for (size_t k = 1; k < length; ++k) good = good && (byte(i + k) & 0xC0) == 0x80;
    // Overlong forms, halves of surrogate pairs and numbers above U+10FFFF are invalid. The second byte shows all of them.
    const unsigned second = length > 1 ? byte(i + 1) : 0;
    good = good && !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second > 0x9F) &&
           !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
    valid += good ? text.substr(i, length) : "\xEF\xBF\xBD";
    i += good ? length : 1;
  }
  return valid;
}

}  // namespace hv::train
