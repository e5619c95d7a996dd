#include "core/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <set>

#include "core/check.h"
#include "core/environment.h"

// Under AddressSanitizer (HV_ASAN, from the Makefile) each buffer is its own allocation, so that an overrun is seen.
#ifdef HV_ASAN
#define HV_POOL 0
#else
#define HV_POOL 1
#endif

namespace hv {
namespace {

constexpr size_t kAlign = 64;                // a cache line and an AVX-512 register
constexpr size_t kChunk = size_t{64} << 20;  // asked of the system at a time
constexpr size_t kHugePage = size_t{2} << 20;

std::atomic<int64_t> strided_copies{0};

// Best fit over address-ordered free blocks. Chunks are never given back: a training run needs them again.
class Pool {
 public:
  void* take(size_t bytes) {
    std::lock_guard lock(mutex_);
    void* const found = find(bytes);
    ++stats_.buffers;
    stats_.live_bytes += static_cast<int64_t>(bytes);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return found;
  }

  void give(void* pointer, size_t bytes) {
    std::lock_guard lock(mutex_);
    stats_.live_bytes -= static_cast<int64_t>(bytes);
#if !HV_POOL
    std::free(pointer);
    return;
#endif
    char* address = static_cast<char*>(pointer);
    size_t size = bytes;
    // Join the free neighbours. Two chunks that happen to touch are one range of memory, so joining across them is right too.
    auto next = by_address_.lower_bound(address);
    if (next != by_address_.end() && address + size == next->first) {
      const size_t extra = next->second;
      remove(address + size, extra);
      size += extra;
    }
    auto after = by_address_.lower_bound(address);
    if (after != by_address_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second == address) {
        char* start = before->first;
        const size_t extra = before->second;
        remove(start, extra);
        address = start;
        size += extra;
      }
    }
    insert(address, size);
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.live_bytes;
  }

 private:
  static void* checked(void* p, size_t bytes) {
    if (!p) fail(Fault::failure, "memory: out of memory: ", bytes >> 20, " MiB asked; use a smaller --batch-size");
    return p;
  }
  void* find(size_t bytes) {
#if !HV_POOL
    ++stats_.chunks;
    return checked(std::aligned_alloc(kAlign, bytes), bytes);
#endif
    auto best = by_size_.lower_bound({bytes, nullptr});
    if (best == by_size_.end()) {
      grow(bytes);
      best = by_size_.lower_bound({bytes, nullptr});
      checked(best == by_size_.end() ? nullptr : best->second, bytes);
    }
    const auto [size, address] = *best;
    remove(address, size);
    if (size > bytes) insert(address + bytes, size - bytes);
    return address;
  }
  void grow(size_t bytes) {
    const size_t size = std::max(kChunk, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    checked(p == MAP_FAILED ? nullptr : p, size);
    madvise(p, size, MADV_HUGEPAGE);  // fewer TLB misses and page faults; a hint, may be refused
    ++stats_.chunks;
    insert(static_cast<char*>(p), size);
  }
  // Called by destructors, which must not fail: if there is no memory for the tables themselves, the range is lost to the pool.
  void insert(char* address, size_t size) noexcept {
    try {
      by_address_.emplace(address, size);
      by_size_.emplace(size, address);
    } catch (const std::bad_alloc&) {
      by_address_.erase(address);
    }
  }
  void remove(char* address, size_t size) {
    by_address_.erase(address);
    by_size_.erase({size, address});
  }

  std::mutex mutex_;
  MemoryStats stats_;
  std::map<char*, size_t> by_address_;
  std::set<std::pair<size_t, char*>> by_size_;
};

// Never destroyed: tensors with static lifetime may outlive it.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

// With HYDRAVIT_GUARD=1 in the environment, as in the tests, a buffer lies between two strips of NaNs and is filled with NaNs
// itself. Reading outside the buffer, or before anything was written, yields NaN. Writing outside it ends the program when the
// buffer is released.
constexpr uint32_t kNan = 0x7FC0DEAD;  // as float, and twice as double
size_t strip_bytes() {
  static const size_t bytes =
      environment_word("HYDRAVIT_GUARD", {"0", "1"}) == 1 && HV_POOL ? kAlign : 0;  // AddressSanitizer sees more than strips do
  return bytes;
}
void check_strip(const void* begin, const void* end) {
  if (std::all_of(static_cast<const uint32_t*>(begin), static_cast<const uint32_t*>(end),
                  [](uint32_t word) { return word == kNan; }))
    return;
  std::fputs("memory: written beside a buffer (HYDRAVIT_GUARD)\n", stderr);
  std::abort();
}

size_t rounded_bytes(int64_t count) {
  const size_t bytes = static_cast<size_t>(std::max<int64_t>(count, 1)) * sizeof(Real);
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

Storage::Storage(int64_t count) : count_(count) {
  HV_CHECK(count >= 0 && count < (int64_t{1} << 48), "memory: bad element count: ", count);
  const size_t bytes = rounded_bytes(count), strip = strip_bytes();
  char* const start = static_cast<char*>(pool().take(strip + bytes + strip));
  if (strip > 0) std::fill_n(reinterpret_cast<uint32_t*>(start), (strip + bytes + strip) / sizeof kNan, kNan);
  data_ = static_cast<Real*>(static_cast<void*>(start + strip));
}

Storage::~Storage() {
  const size_t bytes = rounded_bytes(count_), strip = strip_bytes();
  char* const start = reinterpret_cast<char*>(data_) - strip;
  if (strip > 0) {
    check_strip(start, data_);
    check_strip(data_ + count_, start + strip + bytes + strip);
  }
  pool().give(start, strip + bytes + strip);
}

MemoryStats memory_stats() {
  MemoryStats stats = pool().stats();
  stats.strided_copies = strided_copies.load();
  return stats;
}

void reset_peak_memory() { pool().reset_peak(); }

void count_strided_copy() { strided_copies.fetch_add(1, std::memory_order_relaxed); }

}  // namespace hv
