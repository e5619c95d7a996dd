// CRC-32C (Castagnoli), the checksum of checkpoints, by the processor's own instruction (every x86-64-v2 processor has it).
// Thread rule: a Crc32c is a small value; use one per thread.
#pragma once

#include <nmmintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hv::train {

class Crc32c {
 public:
  void add(const void* data, size_t bytes) {
    const char* at = static_cast<const char*>(data);
    uint64_t state = state_;
    for (; bytes >= 8; bytes -= 8, at += 8) {
      uint64_t word;
      std::memcpy(&word, at, 8);
      state = _mm_crc32_u64(state, word);
    }
    uint32_t tail = static_cast<uint32_t>(state);
    for (; bytes > 0; --bytes, ++at) tail = _mm_crc32_u8(tail, static_cast<uint8_t>(*at));
    state_ = tail;
  }
  uint32_t value() const { return ~state_; }

 private:
  uint32_t state_ = 0xFFFFFFFFu;
};

inline uint32_t crc32c(const void* data, size_t bytes) {
  Crc32c crc;
  crc.add(data, bytes);
  return crc.value();
}

// Is a stored checksum the right one? A fuzzing build accepts every checksum, because its inputs must reach the code behind.
inline bool same_crc([[maybe_unused]] uint64_t stored, [[maybe_unused]] uint64_t computed) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  return true;
#else
  return stored == computed;
#endif
}

}  // namespace hv::train
