// The stopwatch of `hydravit bench`: the rate of this machine's matrix products, and steps in turn with their products alone.
// Everything is timed in turn, because the speed of a machine drifts.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/timing.h"
#include "models/hydravit.h"

namespace hv::train {

double median(std::vector<double> values);

// The four products of a block at full width, as one pass does them: seconds of each repetition, and their operations.
struct GemmRate {
  std::vector<double> seconds;
  double operations = 0;
};
void measure_gemm(const models::HydraViTConfig& c, int64_t batch, int repetitions, GemmRate& rate);

struct Timed {
  double seconds = 0, products = 0;  // median of the steps; the medians of their products, added
  double one_thread = 0;             // median of the steps on one thread
  int64_t chunks = 0, strided_copies = 0;
  PartSeconds split{};  // of a mean step
};
// `step` in turn with its products alone, if `detail`, and with the same on one thread, if `scaling`.
Timed time_steps(int64_t steps, bool detail, bool scaling, const std::function<void()>& step);

}  // namespace hv::train
