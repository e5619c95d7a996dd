// A fast checksum: XXH64 (Collet's public specification), the same value as `xxhsum -H64`. Not for security.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace hv::data {

uint64_t xxh64(std::span<const uint8_t> bytes, uint64_t seed = 0);
std::string hex64(uint64_t value);  // 16 digits

}  // namespace hv::data
