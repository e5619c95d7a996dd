// Memory: 64-byte aligned, reference-counted buffers from a caching pool.
//
// Invariants
//   1. A buffer's contents are unspecified until they are written; factories (core/tensor.h) initialise them.
//   2. The pool cuts buffers from large chunks and joins neighbouring buffers when they are released. So a step at one width
//      reuses the memory of a step at any other, and once each width has run, the pool asks the system for no more memory
//      (memory_stats().chunks stays constant).
//   3. `version` grows with each in-place change. All views of a storage share it, and autograd compares it.
// Thread rule: allocation and release may happen on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace hv {

#ifdef HV_DOUBLE
using Real = double;  // gradient checks: make test-double
#else
using Real = float;
#endif

class Storage {
 public:
  explicit Storage(int64_t count);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  const Real* data() const { return data_; }
  Real* data() { return data_; }  // for workspaces; a tensor's memory is written through Tensor::mutable_data()
  int64_t size() const { return count_; }
  uint64_t version() const { return version_; }
  void bump_version() { ++version_; }
  // The gradient of a leaf: backward passes will write here (core/autograd.h, invariant 1).
  bool is_gradient() const { return gradient_; }
  void mark_gradient() { gradient_ = true; }

 private:
  Real* data_;
  int64_t count_;
  uint64_t version_ = 0;
  bool gradient_ = false;
};

struct MemoryStats {
  int64_t buffers = 0;         // buffers allocated since the start
  int64_t live_bytes = 0;      // in use now
  int64_t peak_bytes = 0;      // most ever in use
  int64_t chunks = 0;          // times the system was asked for memory: constant in a steady state
  int64_t strided_copies = 0;  // copies because a layout did not suit a kernel: 0 in a HydraViT step
};
MemoryStats memory_stats();
void reset_peak_memory();  // peak_bytes begins again at what is in use now
void count_strided_copy();

}  // namespace hv
