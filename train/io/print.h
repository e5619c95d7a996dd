// printf into a std::string, for the numbers of tables: at most 255 bytes.
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

}  // namespace hv::train
