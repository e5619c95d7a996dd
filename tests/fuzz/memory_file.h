// The fuzzer's bytes as a file that has a path but no place on a disk; and what a reader may do with them: load, or refuse with
// an error of exit code 3 or 2. Anything else (a crash, another exception, a sanitizer's finding) is a defect.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/check.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);  // libFuzzer's own mutation, in place

namespace hv::fuzz {

// For mutators that know a format: a part of a file, mutated, at most `most` bytes; the rest is then put together again, so
// that the lengths and checksums around it still fit and the mutation reaches further than the first check.
inline std::string mutated(std::string part, size_t most) {
  const size_t size = std::min(part.size(), most);
  part.resize(most);
  part.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(part.data()), size, most));
  return part;
}

inline const std::string& memory_file(const uint8_t* data, size_t size) {
  static const int memory = ::memfd_create("fuzz", 0);
  static const std::string path = concat("/proc/self/fd/", memory);
  static size_t before = 0;
  if (::pwrite(memory, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  if (size < before && ::ftruncate(memory, static_cast<off_t>(size)) != 0)
    std::abort();  // emptied first, it would lose its pages
  before = size;
  return path;
}

// How often reading succeeded and how often it was refused, written to $FUZZ_OUTCOMES at the end, because a target that refuses
// everything tests little.
inline void outcome(bool loaded) {
  static long counts[2];
  static const bool registered =
      std::getenv("FUZZ_OUTCOMES") && std::atexit([] {
                                        if (std::FILE* file = std::fopen(std::getenv("FUZZ_OUTCOMES"), "w")) {
                                          std::fprintf(file, "%ld loaded, %ld refused\n", counts[1], counts[0]);
                                          std::fclose(file);
                                        }
                                      }) == 0;
  (void)registered;
  ++counts[loaded];
}

template <class Read>
void may_refuse(Read&& read) {
  try {
    read();
    outcome(true);
  } catch (const Error& error) {
    outcome(false);
    if (error.fault() != Fault::input && error.fault() != Fault::usage) std::abort();
  }
}

}  // namespace hv::fuzz
