#include "train/printable.h"

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

}  // namespace hv::train
