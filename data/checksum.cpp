#include "data/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace hv::data {
namespace {

constexpr uint64_t kP1 = 0x9E3779B185EBCA87ull, kP2 = 0xC2B2AE3D27D4EB4Full, kP3 = 0x165667B19E3779F9ull;
constexpr uint64_t kP4 = 0x85EBCA77C2B2AE63ull, kP5 = 0x27D4EB2F165667C5ull;

template <class Word>
uint64_t read_le(const uint8_t* p) {
  static_assert(std::endian::native == std::endian::little);
  Word value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

uint64_t round(uint64_t lane, uint64_t input) { return std::rotl(lane + input * kP2, 31) * kP1; }

}  // namespace

// Four lanes take 8 bytes each in turn. Then the lanes are merged, the remaining bytes are added, and the bits are mixed.
uint64_t xxh64(std::span<const uint8_t> bytes, uint64_t seed) {
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  uint64_t hash = seed + kP5;
  if (left >= 32) {
    std::array<uint64_t, 4> lane = {seed + kP1 + kP2, seed + kP2, seed, seed - kP1};
    for (; left >= 32; p += 32, left -= 32)
      for (size_t i = 0; i < 4; ++i) lane[i] = round(lane[i], read_le<uint64_t>(p + 8 * i));
    hash = std::rotl(lane[0], 1) + std::rotl(lane[1], 7) + std::rotl(lane[2], 12) + std::rotl(lane[3], 18);
    for (const uint64_t l : lane) hash = (hash ^ round(0, l)) * kP1 + kP4;
  }
  hash += bytes.size();
  for (; left >= 8; p += 8, left -= 8) hash = std::rotl(hash ^ round(0, read_le<uint64_t>(p)), 27) * kP1 + kP4;
  for (; left >= 4; p += 4, left -= 4) hash = std::rotl(hash ^ (read_le<uint32_t>(p) * kP1), 23) * kP2 + kP3;
  for (; left > 0; ++p, --left) hash = std::rotl(hash ^ (*p * kP5), 11) * kP1;
  hash = (hash ^ (hash >> 33)) * kP2;
  hash = (hash ^ (hash >> 29)) * kP3;
  return hash ^ (hash >> 32);
}

std::string hex64(uint64_t value) {
  std::string text(16, '0');
  for (size_t i = 0; i < 16; ++i) text[15 - i] = "0123456789abcdef"[(value >> (4 * i)) & 15];
  return text;
}

}  // namespace hv::data
