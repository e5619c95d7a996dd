// Errors: one exception type, raised by an always-on check.
//
// A message reads `where: what is wrong: the values`, for example
//     matmul: inner dimensions differ: [8, 64] x [32, 10]
// and ends with what to do about it, if something can be done. `Fault` is the program's exit code (README, "Exit codes").
//
// The macro is HV_CHECK, not CHECK, because the test framework owns that name.
// Thread rule: throw only outside parallel regions (core/parallel.h); kernels inside them never fail.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace hv {

enum class Fault : int { failure = 1, usage = 2, input = 3, diverged = 4 };

class Error : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& message) : std::runtime_error(message), fault_(fault) {}
  Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

template <class... Parts>
std::string concat(Parts&&... parts) {
  std::ostringstream text;
  (text << ... << std::forward<Parts>(parts));
  return text.str();
}

template <class... Parts>
[[noreturn]] void fail(Fault fault, Parts&&... parts) {
  throw Error(fault, concat(std::forward<Parts>(parts)...));
}

}  // namespace hv

// HV_CHECK(condition, "op: what: ", value, ...): a broken precondition of the library (exit code 1).
#define HV_CHECK(condition, ...)                                     \
  do {                                                               \
    if (!(condition)) ::hv::fail(::hv::Fault::failure, __VA_ARGS__); \
  } while (0)

// The same for what the user typed (exit code 2) and for what a file holds (exit code 3).
#define HV_CHECK_USAGE(condition, ...)                             \
  do {                                                             \
    if (!(condition)) ::hv::fail(::hv::Fault::usage, __VA_ARGS__); \
  } while (0)
#define HV_CHECK_INPUT(condition, ...)                             \
  do {                                                             \
    if (!(condition)) ::hv::fail(::hv::Fault::input, __VA_ARGS__); \
  } while (0)
