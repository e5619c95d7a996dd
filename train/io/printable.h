// Texts from outside (files, names of files, errors that quote them) on their way to a terminal: the one door is printable().
// Such a text must not move the terminal's cursor, change its colours, or show characters in another order than they have.
//
// Control characters are here: U+0000 to U+001F, U+007F to U+009F (also as single bytes, as terminals without UTF-8 read them),
// the marks that change the direction of writing (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), and the line and
// paragraph separators U+2028 and U+2029.
// Thread rule: any thread.
#pragma once

#include <string>

namespace hv::train {

// The number of bytes of the UTF-8 character that begins at text[at]. 0: no valid one begins there.
size_t letter(const std::string& text, size_t at);
// Does a control character begin at text[at], where a character or a byte that belongs to none begins?
bool is_control(const std::string& text, size_t at);

std::string printable(const std::string& text);        // one line: each control character becomes a space
std::string printable_lines(const std::string& text);  // the same, but line ends stay
bool is_printable(const std::string& text);            // no control character
std::string escape_controls(const std::string& json);  // of a text of JSON: those above U+007E become \uXXXX
std::string valid_utf8(const std::string& text);       // other bytes (a folder's name may hold any) become U+FFFD

}  // namespace hv::train
