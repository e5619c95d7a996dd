#include "train/bench/measure.h"

#include <algorithm>
#include <chrono>

#include "core/kernels/gemm.h"
#include "core/kernels/product_list.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/storage.h"
#include "core/tensor.h"

namespace hv::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void measure_gemm(const models::HydraViTConfig& c, int64_t batch, int repetitions, GemmRate& rate) {
  const int64_t rows = batch * c.tokens(), e = c.width();
  const std::pair<int64_t, int64_t> layers[] = {{e, 3 * e}, {e, e}, {e, c.mlp_ratio * e}, {c.mlp_ratio * e, e}};  // in, out
  const int64_t widest = std::max<int64_t>(3, c.mlp_ratio) * e;
  Stream stream(0, Purpose::bench);
  const Tensor x = Tensor::uniform({rows, widest}, -1, 1, stream), weight = Tensor::uniform({widest, widest}, -1, 1, stream);
  const Tensor y = Tensor::zeros({rows, widest});
  Real* const result = y.mutable_data();
  rate.operations = 0;
  for (const auto& [in, out] : layers) rate.operations += 2.0 * static_cast<double>(rows * in * out);
  for (int i = -1; i < repetitions; ++i) {  // the first is not counted
    const auto begin = Clock::now();
    for (const auto& [in, out] : layers) {
      gemm_parallel({x.data(), rows, in, in, 1}, Matrix{weight.data(), out, in, in, 1}.transposed(), result, out);
    }
    if (i >= 0) rate.seconds.push_back(seconds_since(begin));
  }
}

Timed time_steps(int64_t steps, bool detail, bool scaling, const std::function<void()>& step) {
  std::vector<MatrixProduct> made, distinct;
  note_products(&made);
  step();
  note_products(nullptr);
  for (const MatrixProduct& product : made) {
    if (std::find(distinct.begin(), distinct.end(), product) == distinct.end()) distinct.push_back(product);
  }
  if (!detail) distinct.clear();
  std::vector<std::vector<double>> alone(distinct.size());
  const auto time_products = [&](bool count) {
    for (size_t i = 0; i < distinct.size(); ++i) {
      const double seconds = seconds_alone(distinct[i]);
      if (count) alone[i].push_back(seconds);
    }
  };
  time_products(false);
  for (int i = 0; i < 2; ++i) step();
  Timed timed;
  std::vector<double> seconds, one_thread;
  const int threads = num_threads();
  for (int64_t i = 0; i < steps; ++i) {
    const MemoryStats before = memory_stats();
    const auto begin = Clock::now();
    watch_parts();
    step();
    const PartSeconds parts = take_parts();
    seconds.push_back(seconds_since(begin));
    const MemoryStats after = memory_stats();
    timed.chunks += after.chunks - before.chunks;
    timed.strided_copies += after.strided_copies - before.strided_copies;
    for (size_t p = 0; p < parts.size(); ++p) timed.split[p] += parts[p] / static_cast<double>(steps);
    time_products(true);
    if (!scaling) continue;
    set_num_threads(1);
    const auto alone_begin = Clock::now();
    step();
    one_thread.push_back(seconds_since(alone_begin));
    set_num_threads(threads);
    step();  // wakes the threads, which sleep by now
  }
  timed.seconds = median(seconds);
  if (scaling) timed.one_thread = median(one_thread);
  for (size_t i = 0; i < distinct.size(); ++i) {
    timed.products += median(alone[i]) * static_cast<double>(std::count(made.begin(), made.end(), distinct[i]));
  }
  return timed;
}

}  // namespace hv::train
