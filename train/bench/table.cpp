#include "train/bench/table.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "train/io/json.h"
#include "train/io/printable.h"
#include "train/subnets.h"

namespace hv::train {

double peak_rss_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

namespace {

// What tells the rows apart: the axes of one model's subnetworks, or of several checkpoints their names and the subnetworks'.
struct Names {
  explicit Names(const BenchReport& report) : several(report.results.at(0).checkpoint != report.results.back().checkpoint) {
    for (const BenchResult& r : report.results) {
      checkpoint = std::max(checkpoint, r.checkpoint.size());
      label = std::max(label, r.subnet.label.size());
    }
  }
  std::string title(const BenchResult& first) const {
    return several ? padded("checkpoint", checkpoint) + ' ' + padded("subnet", label) : axis_names(first.subnet);
  }
  std::string of(const BenchResult& r) const {
    return several ? padded(r.checkpoint, checkpoint) + ' ' + padded(r.subnet.label, label) : axis_values(r.subnet);
  }
  const bool several;

 private:
  static std::string padded(const std::string& text, size_t width) {
    return text + std::string(width > text.size() ? width - text.size() : 0, ' ');
  }
  size_t checkpoint = 10, label = 6;
};

}  // namespace

void print_table(const BenchReport& report, bool detail, bool scaling) {
  const Names names(report);
  std::printf("%5s %s %10s %10s %9s %6s", "mode", names.title(report.results.at(0)).c_str(), "images/s", "ms/step", "GFLOP/s",
              "share");
  if (names.several) std::printf("   time   MACs");
  std::printf("%s", scaling ? "  speedup" : "");
  std::puts(detail ? " efficiency   split: products attention norm+GELU optimiser other" : "");
  const BenchResult *before = nullptr, *first = nullptr;
  for (const BenchResult& r : report.results) {
    const bool other_mode = before && before->mode != r.mode;
    if (!before || other_mode) first = &r;
    if (before && names.several) std::fputs(other_mode ? "\n" : "", stdout);
    if (before && !names.several) {
      std::fputs(other_mode && chosen_axes(r.subnet) > 1 ? "\n" : group_gap(before->subnet, r.subnet), stdout);
    }
    before = &r;
    std::printf("%5s %s %10.0f %10.1f %9.0f %5.0f%%", r.mode.c_str(), printable(names.of(r)).c_str(), r.images_per_second,
                r.step_ms, r.gflops, 100 * r.gflops / report.gemm_gflops);
    if (names.several) {
      std::printf(" %5.1f%% %5.1f%%", 100 * r.step_ms / first->step_ms,
                  100 * static_cast<double>(r.macs) / static_cast<double>(first->macs));
    }
    const double all = std::accumulate(r.split.begin(), r.split.end(), 0.0);
    const auto share = [&](Part part) { return 100 * r.split[static_cast<size_t>(part)] / all; };
    if (scaling) std::printf(" %7.2fx", r.speedup);
    if (detail) {
      std::printf(" %10.2f          %7.0f%% %8.0f%% %8.0f%% %8.0f%% %4.0f%%", r.efficiency, share(Part::gemm),
                  share(Part::attention), share(Part::norm_activation), share(Part::optimizer), share(Part::other));
    }
    std::puts("");
  }
}

std::string bench_json(const BenchReport& report) {
  Json results = Json::empty_list();
  for (const BenchResult& r : report.results) {
    Json split;
    for (size_t i = 0; i < r.split.size(); ++i) split.add(kPartNames[i], r.split[i]);
    Json result{{"mode", r.mode}};
    if (!r.checkpoint.empty()) result.add("checkpoint", r.checkpoint).add("subnet", r.subnet.name);
    result = result.append(axes_json(r.subnet, true)).add("batch", r.batch).add("macs", r.macs);
    result.add("images_per_second", r.images_per_second).add("step_ms", r.step_ms).add("gflops", r.gflops);
    result.add("efficiency", r.efficiency).add("split", split);
    if (r.speedup > 0) result.add("speedup", r.speedup);
    results.push(result);
  }
  return Json{{"threads", report.threads},
              {"precision", report.precision},
              {"gemm_gflops", report.gemm_gflops},
              {"peak_rss_mib", report.peak_rss_mib},
              {"results", results}}
      .text();
}

}  // namespace hv::train
