// The fuzzer's bytes as a file that has a path but no place on a disk; and what a reader may do with them: load, or refuse with an
// error of exit code 3 or 2. Anything else (a crash, another exception, a sanitizer's finding) is a defect.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/check.h"

namespace hv::fuzz {

inline const std::string& memory_file(const uint8_t* data, size_t size) {
  static const int memory = ::memfd_create("fuzz", 0);
  static const std::string path = concat("/proc/self/fd/", memory);
  const ssize_t put = ::ftruncate(memory, 0) == 0 ? ::pwrite(memory, data, size, 0) : -1;
  if (put != static_cast<ssize_t>(size)) std::abort();
  return path;
}

template <class Read>
void may_refuse(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.fault() != Fault::input && error.fault() != Fault::usage) std::abort();
  }
}

}  // namespace hv::fuzz
