#include "train/bench/measure.h"

#include <algorithm>
#include <chrono>

#include "core/parallel.h"
#include "core/storage.h"

namespace hv::train {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double seconds_of(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

ProductsAlone::ProductsAlone(const std::function<void()>& work) {
  std::vector<MatrixProduct> made;
  note_products(&made);
  work();
  note_products(nullptr);
  for (const MatrixProduct& product : made) {
    const auto found = std::find(distinct_.begin(), distinct_.end(), product);
    if (found != distinct_.end()) {
      times_[static_cast<size_t>(found - distinct_.begin())] += 1;
    } else {
      distinct_.push_back(product);
      times_.push_back(1);
    }
  }
  seconds_.resize(distinct_.size());
}

void ProductsAlone::keep(MatrixProduct::Kind kind) {
  for (size_t i = 0; i < distinct_.size(); ++i) {
    if (distinct_[i].kind != kind) times_[i] = 0;
  }
}

void ProductsAlone::time(bool count) {
  for (size_t i = 0; i < distinct_.size(); ++i) {
    if (times_[i] == 0) continue;
    const double seconds = seconds_alone(distinct_[i]);
    if (count) seconds_[i].push_back(seconds);
  }
}

double ProductsAlone::seconds() const {
  double sum = 0;
  for (size_t i = 0; i < distinct_.size(); ++i) sum += seconds_[i].empty() ? 0 : times_[i] * median(seconds_[i]);
  return sum;
}

double ProductsAlone::operations() const {
  double sum = 0;
  for (size_t i = 0; i < distinct_.size(); ++i) {
    const MatrixProduct& p = distinct_[i];
    sum += times_[i] * 2 * static_cast<double>(p.m * p.n) * static_cast<double>(p.k * p.count);
  }
  return sum;
}

namespace {

// One piece of work and what was measured of it so far.
class Watched {
 public:
  Watched(const std::function<void()>& work, bool detail, bool scaling) : work_(work), products_(work), scaling_(scaling) {
    if (!detail) products_ = {};
    products_.time(false);
    for (int i = 0; i < 2; ++i) work_();
  }

  void time() {
    const MemoryStats before = memory_stats();
    PartSeconds parts{};
    seconds_.push_back(seconds_of([&] {
      watch_parts();
      work_();
      parts = take_parts();
    }));
    const MemoryStats after = memory_stats();
    timed_.chunks += after.chunks - before.chunks;
    timed_.strided_copies += after.strided_copies - before.strided_copies;
    for (size_t p = 0; p < parts.size(); ++p) timed_.split[p] += parts[p];
    products_.time();
    if (!scaling_) return;
    const int threads = num_threads();
    set_num_threads(1);
    one_thread_.push_back(seconds_of(work_));
    set_num_threads(threads);
    work_();  // wakes the threads, which sleep by now
  }

  Timed result() const {
    Timed timed = timed_;
    for (double& part : timed.split) part /= static_cast<double>(seconds_.size());
    timed.seconds = median(seconds_);
    if (scaling_) timed.one_thread = median(one_thread_);
    timed.products = products_.seconds();
    return timed;
  }

 private:
  const std::function<void()>& work_;
  ProductsAlone products_;
  bool scaling_;
  Timed timed_;
  std::vector<double> seconds_, one_thread_;
};

}  // namespace

std::vector<Timed> time_in_turn(int64_t steps, bool detail, bool scaling, const std::vector<std::function<void()>>& works) {
  std::vector<Watched> watched;
  for (const std::function<void()>& work : works) watched.emplace_back(work, detail, scaling);
  for (int64_t i = 0; i < steps; ++i) {
    for (Watched& one : watched) one.time();
  }
  std::vector<Timed> results;
  for (const Watched& one : watched) results.push_back(one.result());
  return results;
}

}  // namespace hv::train
