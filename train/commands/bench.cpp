// hydravit bench: speed of training and inference at every width, beside the rate of this machine's own matrix products.
//
// Efficiency is the time that the step's matrix products need alone (core/kernels/product_list.h), each distinct one timed in
// turn with the steps, because the machine's speed drifts, over the time of the step. 100 % would mean that all else is free.
// A train step is forward, loss, backward and AdamW on one batch that lies in memory, as in other programs' benchmarks.
// GFLOP/s counts 2 x MACs x images, three times that for training. MACs are the published convention's, every block in full;
// the program itself computes about 8 % fewer (nn::first_token), so a share can pass 100 %.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "core/kernels/precision.h"
#include "core/parallel.h"
#include "core/timing.h"
#include "models/hydravit.h"
#include "train/bench/measure.h"
#include "train/commands/commands.h"
#include "train/io/json.h"
#include "train/optim/optimizer.h"
#include "train/recipes/hydravit.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

struct BenchArguments {
  std::string preset = "cifar", subnets, mode = "train,infer", precision = "fp32";
  int64_t batch_size = 128, steps = 10, threads = 0;
  bool detail = false, scaling = false, json = false;
};

struct BenchResult {
  std::string mode;  // "train" or "infer"
  models::Subnet subnet;
  int64_t batch = 0;
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

double peak_rss_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

void print_table(const BenchReport& report, bool detail, bool scaling) {
  std::printf("%5s %s %10s %10s %9s %6s", "mode", axis_names(report.results.at(0).subnet).c_str(), "images/s", "ms/step",
              "GFLOP/s", "share");
  std::printf("%s", scaling ? "  speedup" : "");
  std::puts(detail ? " efficiency   split: products attention norm+GELU optimiser other" : "");
  for (const BenchResult& r : report.results) {
    std::printf("%5s %s %10.0f %10.1f %9.0f %5.0f%%", r.mode.c_str(), axis_values(r.subnet).c_str(), r.images_per_second,
                r.step_ms, r.gflops, 100 * r.gflops / report.gemm_gflops);
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
    Json result = Json{{"mode", r.mode}}.append(axes_json(r.subnet, true)).add("batch", r.batch);
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

int run_bench(const BenchArguments& a) {
  HV_CHECK_USAGE(a.mode == "train" || a.mode == "infer" || a.mode == "train,infer" || a.mode == "infer,train", "--mode: '",
                 a.mode, "' is unknown; choose train, infer or train,infer");
  const models::HydraViTConfig config = models::preset(a.preset);
  start_compute(a.threads, a.precision);
  const auto model = models::make_model(models::to_config(config), 0);
  const std::vector<models::Subnet> widths = choose_subnets(*model, a.subnets);
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(model->parameters(), {});

  data::Batch batch;
  Stream stream(0, Purpose::bench, 1);
  batch.images = Tensor::normal({a.batch_size, config.channels, config.image, config.image}, 0, 1, stream);
  batch.targets = Tensor::zeros({a.batch_size, config.classes});
  Real* const targets = batch.targets.mutable_data();
  for (int64_t i = 0; i < a.batch_size; ++i) targets[i * config.classes + i % config.classes] = 1;

  GemmRate rate;
  measure_gemm(config, a.batch_size, 5, rate);
  BenchReport report;
  report.threads = num_threads();
  std::string table;
  for (const std::string mode : {"train", "infer"}) {
    if (a.mode.find(mode) == std::string::npos) continue;
    const bool training = mode == "train";
    for (const models::Subnet& width : widths) {
      HydraViTRecipe recipe(*model, {width}, WidthSampler(0, 1), 0.1);
      model->train(training);
      const Timed timed = time_steps(a.steps, a.detail || a.json, a.scaling, [&] {
        if (training) {
          recipe.passes(batch, 0, [](const models::Subnet&, const Tensor& loss) { loss.backward(); });
          optimizer->step(1e-4, 1);
        } else {
          const NoGrad off;
          model->forward(batch.images, width);
        }
      });
      const double images = static_cast<double>(a.batch_size);
      const double operations = 2.0 * static_cast<double>(model->macs(width)) * images * (training ? 3 : 1);
      report.results.push_back({mode, width, a.batch_size, images / timed.seconds, 1000 * timed.seconds,
                                operations / timed.seconds / 1e9, timed.products / timed.seconds, timed.split,
                                timed.one_thread / timed.seconds});
      if (timed.chunks + timed.strided_copies > 0) {
        table += concat("  ", mode, " ", width.label, ": ", timed.chunks, " pool chunks and ", timed.strided_copies,
                        " strided copies in the timed steps\n");
      }
    }
  }
  measure_gemm(config, a.batch_size, 5, rate);  // again: the machine's speed may have changed meanwhile
  GemmRate one;
  for (int i = 0; a.scaling && i < 5; ++i) {  // in turn, as the steps
    set_num_threads(1);
    measure_gemm(config, a.batch_size, 1, one);
    set_num_threads(static_cast<int>(report.threads));
    measure_gemm(config, a.batch_size, 1, rate);
  }
  report.precision = precision() == Precision::bf16 ? "bf16" : "fp32";
  report.gemm_gflops = rate.operations / median(rate.seconds) / 1e9;
  report.peak_rss_mib = peak_rss_mib();
  if (a.json) {
    std::printf("%s\n", bench_json(report).c_str());
    return 0;
  }
  std::printf("preset %s, batch %lld, %lld threads, %s; matrix products at full width: %.0f GFLOP/s; peak memory %.0f MiB\n",
              a.preset.c_str(), static_cast<long long>(a.batch_size), static_cast<long long>(report.threads),
              report.precision.c_str(), report.gemm_gflops, report.peak_rss_mib);
  print_table(report, a.detail, a.scaling);
  if (a.scaling) {
    std::printf("the products at full width alone, %lld threads over one: speedup %.2fx\n",
                static_cast<long long>(report.threads), median(one.seconds) / median(rate.seconds));
  }
  std::printf("tensor memory asked from the system and strided copies in the timed steps: %s", table.empty() ? "none\n" : "\n");
  std::fputs(table.c_str(), stdout);
  return 0;
}

}  // namespace

Command bench_command() {
  const auto a = std::make_shared<BenchArguments>();
  Fields fields = {
      {"preset", &a->preset, "model", 0, 0, models::preset_names()},
      {kSubnetsOption, &a->subnets, "widths, as 5, 3-8, 3,5,8 or all; default: all"},
      {"mode", &a->mode, "train, infer or train,infer"},
      {"batch-size", &a->batch_size, "images a step", 1, 65536},
      {"steps", &a->steps, "timed steps, after 3 to warm up", 1, 100000},
      {"precision", &a->precision, "of the operands of products", 0, 0, {"fp32", "bf16"}},
      {"threads", &a->threads, "cores to use; 0: all", 0, 1024},
      {"detail", &a->detail, "where the time goes, and the time of the products alone over that of the step", 0, 0, {}, true},
      {"scaling", &a->scaling, "the same on one thread, in turn: how many times as fast all threads are", 0, 0, {}, true},
      {"json", &a->json, "machine-readable output", 0, 0, {}, true},
  };
  return {"bench", "speed of training and inference at every width", std::move(fields), {}, [a](const std::set<std::string>&) {
            return run_bench(*a);
          }};
}

}  // namespace hv::train
