// Numbers in a file, lowest byte first. The caller has checked that they lie inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hv::data {

struct LittleEndian {
  std::span<const uint8_t> bytes;
  size_t number(size_t at, size_t count) const {
    size_t value = 0;
    for (size_t i = count; i > 0; --i) value = value << 8 | bytes[at + i - 1];
    return value;
  }
};

}  // namespace hv::data
