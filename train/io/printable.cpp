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
    const size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    bool good = length > 0;
    for (size_t k = 1; k < length; ++k) good = good && (byte(i + k) & 0xC0) == 0x80;
    // No longer form than needed, no half of a surrogate pair, nothing past U+10FFFF: all show in the second byte.
    const unsigned second = length > 1 ? byte(i + 1) : 0;
    good = good && !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second > 0x9F) &&
           !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
    good ? valid.append(text, i, length) : valid.append("\xEF\xBF\xBD");
    i += good ? length : 1;
  }
  return valid;
}

}  // namespace hv::train
