// printf into a std::string, for the numbers of tables: at most 255 bytes. And one line to people: names, paths and errors come
// from outside, so such a line passes through printable().
#pragma once

#include <cstdio>
#include <string>

#include "train/io/printable.h"

namespace hv::train {

template <class... Args>
std::string print(const char* format, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

inline void say(const std::string& line) { std::fprintf(stderr, "%s\n", printable(line).c_str()); }   // beside the results
inline void show(const std::string& line) { std::fprintf(stdout, "%s\n", printable(line).c_str()); }  // a result

}  // namespace hv::train
