// The way out of libpng and libjpeg after an error: both want a function that does not return, and longjmp is the only way
// through their C code.
//
// Invariants
//   1. What runs inside guarded() owns nothing that needs a destructor, because a jump skips destructors. So memory is
//      allocated outside, and `step` only calls the library and writes to it.
//   2. Library calls that may fail are made inside guarded(). Elsewhere there is no frame to return to, and the program ends.
// Thread rule: a guard belongs to one thread.
#pragma once

#include <csetjmp>
#include <cstdio>
#include <exception>

namespace hv::data {

struct Guard {
  std::jmp_buf out;
  char text[256] = "";  // the library's words
  bool armed = false;
};

[[noreturn]] inline void leave(Guard& guard, const char* why) {
  if (!guard.armed) std::terminate();
  std::snprintf(guard.text, sizeof guard.text, "%s", why);
  std::longjmp(guard.out, 1);  // NOLINT(cert-err52-cpp)
}

// False if the step was left before its end.
template <class Step>
[[gnu::noinline]] bool guarded(Guard& guard, const Step& step) {
  if (setjmp(guard.out) != 0) {  // NOLINT(cert-err52-cpp)
    guard.armed = false;
    return false;
  }
  guard.armed = true;
  step();
  guard.armed = false;
  return true;
}

}  // namespace hv::data
