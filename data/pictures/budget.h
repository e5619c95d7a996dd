// The memory that pictures may take together, in all threads: one small file can ask for hundreds of megabytes, and a machine
// may have more threads than it has memory for that.
//
// Invariants
//   1. What is held never exceeds the budget; a wish above the whole budget waits until it has the budget alone.
//   2. First come, first served, so that a large picture is not overtaken for ever.
//   3. No deadlock: a thread takes once from file_budget(), then once from decoder_budget(), and gives both back before the
//      next picture.
// Thread rule: any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace hv::data {

class Budget {
 public:
  explicit Budget(int64_t bytes) : bytes_(bytes), free_(bytes) {}
  int64_t take(int64_t bytes);  // waits; returns what was taken
  void give(int64_t bytes);

 private:
  const int64_t bytes_;
  int64_t free_;
  uint64_t next_ = 0, serving_ = 0;  // tickets
  std::mutex mutex_;
  std::condition_variable changed_;
};

// A share of a budget, taken at most once, given back at the end of its scope.
class Lease {
 public:
  explicit Lease(Budget& budget) : budget_(budget) {}
  ~Lease() { budget_.give(held_); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  void take(int64_t bytes);

 private:
  Budget& budget_;
  int64_t held_ = 0;
};

constexpr int64_t kDecoderBudget = int64_t{1} << 30, kFileBudget = int64_t{256} << 20;
Budget& decoder_budget();  // pixels, and what decoders need for them
Budget& file_budget();     // files that are being decoded

}  // namespace hv::data
