// The text of the error that an action raises, or "no error".
#pragma once

#include <string>

#include "core/check.h"

namespace hv::test {

template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace hv::test
