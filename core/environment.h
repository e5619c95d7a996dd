// Settings from the environment that are one of a few words: HYDRAVIT_SIMD, HYDRAVIT_BF16, HYDRAVIT_GUARD.
// Thread rule: call outside parallel regions, because an unknown word is an error.
#pragma once

#include <cstdlib>
#include <initializer_list>

#include "core/check.h"

namespace hv {

// The place of the variable's value in `words`; -1 if it is not set, or empty.
inline int environment_word(const char* name, std::initializer_list<const char*> words) {
  const char* value = std::getenv(name);
  if (!value || !*value) return -1;
  int place = 0;
  std::string known;
  for (const char* word : words) {
    if (std::string(word) == value) return place;
    known += (place++ ? ", " : "") + std::string(word);
  }
  fail(Fault::usage, name, ": '", value, "' is unknown; choose one of ", known, ", or unset it");
}

}  // namespace hv
