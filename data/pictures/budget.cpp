#include "data/pictures/budget.h"

#include <algorithm>

#include "core/check.h"

namespace hv::data {

int64_t Budget::take(int64_t bytes) {
  bytes = std::min(bytes, bytes_);
  std::unique_lock<std::mutex> lock(mutex_);
  const uint64_t ticket = next_++;
  changed_.wait(lock, [&] { return serving_ == ticket && free_ >= bytes; });
  free_ -= bytes;
  ++serving_;
  changed_.notify_all();  // the next ticket may fit beside this one
  return bytes;
}

void Budget::give(int64_t bytes) {
  if (bytes == 0) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  free_ += bytes;
  changed_.notify_all();
}

void Lease::take(int64_t bytes) {
  HV_CHECK(held_ == 0 && bytes >= 0, "lease: taken twice, or ", bytes, " bytes");
  held_ = budget_.take(bytes);
}

Budget& decoder_budget() {
  static Budget budget(kDecoderBudget);
  return budget;
}

Budget& file_budget() {
  static Budget budget(kFileBudget);
  return budget;
}

}  // namespace hv::data
