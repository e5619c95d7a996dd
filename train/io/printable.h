// Texts from outside (files, names of files) on their way to a terminal. They must not move its cursor or change its colours.
// Thread rule: any thread.
#pragma once

#include <string>

namespace hv::train {

// Does a control character begin at text[i]? Either an ASCII one, or one of U+0080 to U+009F, which are two bytes in UTF-8.
bool is_control(const std::string& text, size_t i);
std::string printable(std::string text);  // control characters become spaces

// Replaces bytes that are not UTF-8 (a folder's name may hold any byte) with U+FFFD, because other programs expect UTF-8.
std::string valid_utf8(const std::string& text);

}  // namespace hv::train
