// The stopwatch of `hydravit bench`: matrix products alone, and steps in turn with the products they are made of.
// Everything is timed in turn, because the speed of a machine drifts.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/kernels/product_list.h"
#include "core/timing.h"

namespace hv::train {

double median(std::vector<double> values);
double seconds_of(const std::function<void()>& work);

// The matrix products that `work` runs, timed alone: each distinct one, times how often it occurs.
class ProductsAlone {
 public:
  ProductsAlone() = default;
  explicit ProductsAlone(const std::function<void()>& work);  // runs it once
  void keep(MatrixProduct::Kind kind);                        // only those of this kind
  void time(bool count = true);                               // all of them once; the first time should not count
  double seconds() const;                                     // the medians so far, added
  double operations() const;                                  // multiplications and additions

 private:
  std::vector<MatrixProduct> distinct_;
  std::vector<double> times_;                 // how often each occurs
  std::vector<std::vector<double>> seconds_;  // of each
};

struct Timed {
  double seconds = 0, products = 0;  // median of the steps; their products alone
  double one_thread = 0;             // median of the steps on one thread
  int64_t chunks = 0, strided_copies = 0;
  PartSeconds split{};  // of a mean step
};
// All of `works` in turn, so many times: each with its products alone, if `detail`, and the same on one thread, if `scaling`.
std::vector<Timed> time_in_turn(int64_t steps, bool detail, bool scaling, const std::vector<std::function<void()>>& works);

}  // namespace hv::train
