// printf into a std::string, for the numbers of tables: at most 255 bytes. And one line to people.
#pragma once

#include <cstdio>
#include <string>

namespace hv::train {

template <class... Args>
std::string print(const char* format, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

inline void say(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

}  // namespace hv::train
