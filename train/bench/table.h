// What `hydravit bench` has found, as a table and as JSON.
// Thread rule: plain values, pure functions.
#pragma once

#include <string>
#include <vector>

#include "core/timing.h"
#include "models/elastic.h"

namespace hv::train {

struct BenchResult {
  std::string mode;        // "train" or "infer"
  std::string checkpoint;  // empty: the model of a preset
  models::Subnet subnet;
  int64_t batch = 0, macs = 0;
  double images_per_second = 0, step_ms = 0, gflops = 0;
  double efficiency = 0;  // time of the step's matrix products alone / time of the step; 0: not measured
  PartSeconds split{};    // seconds of a mean step, by kind of work
  double speedup = 0;     // time of the step on one thread / on all; 0: not measured
};
struct BenchReport {
  int64_t threads = 0;
  std::string precision;  // of the operands of products, as they were computed: "fp32" or "bf16"
  double gemm_gflops = 0, peak_rss_mib = 0;
  std::vector<BenchResult> results;
};

double peak_rss_mib();  // of this process so far
// Of several checkpoints, each row also has its time and its MACs over those of the first row of the same mode.
void print_table(const BenchReport& report, bool detail, bool scaling);
std::string bench_json(const BenchReport& report);

}  // namespace hv::train
