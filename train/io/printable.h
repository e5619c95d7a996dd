// Texts from files and file names on their way to a terminal: none of them may move its cursor or change its colours.
#pragma once

#include <string>

namespace hv::train {

// Is there a control character at text[i]: one of ASCII, or of Unicode's second set, U+0080 to U+009F, two bytes in UTF-8?
bool is_control(const std::string& text, size_t i);
std::string printable(std::string text);  // control characters become spaces

// Bytes that are no UTF-8 (a folder's name may hold any) become U+FFFD, as other programs expect texts.
std::string valid_utf8(const std::string& text);

}  // namespace hv::train
