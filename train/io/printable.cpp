#include "train/io/printable.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace hv::train {
namespace {

unsigned byte(const std::string& text, size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; }

// The number of the character of `length` bytes that begins at text[at].
uint32_t code_point(const std::string& text, size_t at, size_t length) {
  if (length < 2) return byte(text, at);
  uint32_t code = byte(text, at) & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) code = code << 6 | (byte(text, at + i) & 0x3F);
  return code;
}

// Calls take(at, bytes, control) for every character, and for every byte that belongs to none.
template <class Take>
void each_letter(const std::string& text, Take&& take) {
  for (size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
    bytes = std::max<size_t>(1, letter(text, at));
    take(at, bytes, is_control(text, at));
  }
}

std::string without_controls(const std::string& text, bool keep_lines) {
  std::string result;
  each_letter(text, [&](size_t at, size_t bytes, bool control) {
    if (control && !(keep_lines && text[at] == '\n')) {
      result += ' ';
    } else {
      result.append(text, at, bytes);
    }
  });
  return result;
}

}  // namespace

size_t letter(const std::string& text, size_t at) {
  const unsigned first = byte(text, at), second = byte(text, at + 1);
  size_t length = 0;
  if (first < 0x80) length = 1;
  if (first >= 0xC2 && first < 0xE0) length = 2;
  if (first >= 0xE0 && first < 0xF0) length = 3;
  if (first >= 0xF0 && first < 0xF5) length = 4;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(text, at + i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, halves of surrogate pairs and numbers above U+10FFFF are invalid (RFC 3629, section 4).
  const bool bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
                   (first == 0xF4 && second > 0x8F);
  return bad ? 0 : length;
}

bool is_control(const std::string& text, size_t at) {
  const uint32_t code = code_point(text, at, letter(text, at));
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x61C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

std::string printable(const std::string& text) { return without_controls(text, false); }
std::string printable_lines(const std::string& text) { return without_controls(text, true); }
bool is_printable(const std::string& text) { return printable(text) == text; }

std::string escape_controls(const std::string& json) {
  std::string result;
  each_letter(json, [&](size_t at, size_t bytes, bool control) {
    if (control && byte(json, at) >= 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", code_point(json, at, bytes) & 0xFFFF);
      result += escaped;
    } else {
      result.append(json, at, bytes);
    }
  });
  return result;
}

std::string valid_utf8(const std::string& text) {
  std::string valid;
  each_letter(text, [&](size_t at, size_t bytes, bool) {
    if (letter(text, at) > 0) {
      valid.append(text, at, bytes);
    } else {
      valid += "\xEF\xBF\xBD";
    }
  });
  return valid;
}

}  // namespace hv::train
