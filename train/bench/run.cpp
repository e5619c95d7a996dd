// Speed of training and inference at every width, beside the rate of this machine's own matrix products.
//
// Efficiency is the time that the step's matrix products need alone (core/kernels/product_list.h), each distinct one timed in
// turn with the steps, because the machine's speed drifts, over the time of the step. 100 % would mean that all else is free.
// A train step is forward, loss, backward and AdamW on one batch.
// GFLOP/s counts 2 x MACs x images, three times that for training. MACs are the published convention's, every block in full;
// the program itself computes about 8 % fewer (nn::first_token), so a share can pass 100 %.
#include "train/bench/run.h"

#include <cstdio>

#include "core/kernels/precision.h"
#include "core/parallel.h"
#include "models/kinds.h"
#include "train/bench/measure.h"
#include "train/bench/recipe_step.h"
#include "train/bench/table.h"
#include "train/io/json.h"
#include "train/optim/optimizer.h"
#include "train/start/model_choice.h"
#include "train/start/setup.h"
#include "train/subnets.h"

namespace hv::train {
namespace {

const char* precision_name() { return precision() == Precision::bf16 ? "bf16" : "fp32"; }

// One batch that lies in memory, as in other programs' benchmarks.
data::Batch any_batch(const models::ElasticModel& model, int64_t size) {
  const models::Config config = model.config();
  const auto channels = config.find("channels");
  data::Batch batch;
  Stream stream(0, Purpose::bench, 1);
  batch.images = Tensor::normal(
      {size, channels == config.end() ? 3 : std::stoll(channels->second), model.image_size(), model.image_size()}, 0, 1,
      stream);
  batch.targets = Tensor::zeros({size, model.classes()});
  Real* const targets = batch.targets.mutable_data();
  for (int64_t i = 0; i < size; ++i) targets[i * model.classes() + i % model.classes()] = 1;
  return batch;
}

int run_recipe(const BenchArguments& a, models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
               Optimizer& optimizer) {
  TrainOptions options = a.model;
  options.recipe = a.recipe;
  const std::unique_ptr<Recipe> recipe = make_recipe(options, model, subnets);
  model.train(true);
  const RecipeTimes t = time_recipe(*recipe, model, subnets, optimizer, any_batch(model, a.batch_size), a.steps);
  const double memory = static_cast<double>(t.step_bytes) / static_cast<double>(t.alone_bytes);
  if (a.json) {
    Json json{{"recipe", a.recipe}, {"batch", a.batch_size}, {"threads", num_threads()}};
    json.add("step_ms", 1000 * t.step).add("update_ms", 1000 * t.update).add("passes_alone_ms", 1000 * t.alone);
    json.add("ratio", t.ratio).add("memory_ratio", memory).add("chunks", t.chunks).add("strided_copies", t.strided_copies);
    std::printf("%s\n", json.text().c_str());
    return 0;
  }
  std::printf("preset %s, recipe %s, batch %lld, %d threads, %s: medians of %lld steps\n", a.model.preset.c_str(),
              a.recipe.c_str(), static_cast<long long>(a.batch_size), num_threads(), precision_name(),
              static_cast<long long>(a.steps));
  std::printf("step %.1f ms, of which the update takes %.1f ms; its passes alone %.1f ms; ratio %.3f\n", 1000 * t.step,
              1000 * t.update, 1000 * t.alone, t.ratio);
  std::printf("most memory in use: %.1f MiB, %.3f of that of the largest pass alone\n",
              static_cast<double>(t.step_bytes) / (1 << 20), memory);
  std::printf("in the timed steps: memory asked from the system %lld times, %lld strided copies\n",
              static_cast<long long>(t.chunks), static_cast<long long>(t.strided_copies));
  return 0;
}

}  // namespace

int run_bench(const BenchArguments& a) {
  HV_CHECK_USAGE(a.mode == "train" || a.mode == "infer" || a.mode == "train,infer" || a.mode == "infer,train", "--mode: '",
                 a.mode, "' is unknown; choose train, infer or train,infer");
  start_compute(a.threads, a.precision);
  const auto model = models::make_model(model_config(a.model, 0), 0);
  const std::vector<models::Subnet> subnets = choose_subnets(*model, a.model.subnets);
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(model->parameters(), {});
  if (!a.recipe.empty()) return run_recipe(a, *model, subnets, *optimizer);

  const data::Batch batch = any_batch(*model, a.batch_size);
  ProductsAlone rate([&] {  // of this machine: the products of the linear layers at full width
    const NoGrad off;
    model->forward(batch.images, model->subnets().back());
  });
  rate.keep(MatrixProduct::Kind::forward);
  ProductsAlone one = rate;
  const auto time_products = [&](ProductsAlone& products) {
    products.time(false);
    for (int i = 0; i < 5; ++i) products.time();
  };
  time_products(rate);
  BenchReport report;
  report.threads = num_threads();
  std::string table;
  for (const std::string mode : {"train", "infer"}) {
    if (a.mode.find(mode) == std::string::npos) continue;
    const bool training = mode == "train";
    for (const models::Subnet& subnet : subnets) {
      model->train(training);
      const Timed timed = time_steps(a.steps, a.detail || a.json, a.scaling, [&] {
        if (training) {
          pass_alone(*model, subnet, batch);
          optimizer->step(1e-4, 1);
        } else {
          const NoGrad off;
          model->forward(batch.images, subnet);
        }
      });
      const double images = static_cast<double>(a.batch_size);
      const double operations = 2.0 * static_cast<double>(model->macs(subnet)) * images * (training ? 3 : 1);
      report.results.push_back({mode, subnet, a.batch_size, images / timed.seconds, 1000 * timed.seconds,
                                operations / timed.seconds / 1e9, timed.products / timed.seconds, timed.split,
                                timed.one_thread / timed.seconds});
      if (timed.chunks + timed.strided_copies > 0) {
        table += concat("  ", mode, " ", subnet.label, ": ", timed.chunks, " pool chunks and ", timed.strided_copies,
                        " strided copies in the timed steps\n");
      }
    }
  }
  time_products(rate);                        // again: the machine's speed may have changed meanwhile
  for (int i = 0; a.scaling && i < 5; ++i) {  // in turn, as the steps
    set_num_threads(1);
    one.time();
    set_num_threads(static_cast<int>(report.threads));
    rate.time();
  }
  report.precision = precision_name();
  report.gemm_gflops = rate.operations() / rate.seconds() / 1e9;
  report.peak_rss_mib = peak_rss_mib();
  if (a.json) {
    std::printf("%s\n", bench_json(report).c_str());
    return 0;
  }
  std::printf("preset %s, batch %lld, %lld threads, %s; matrix products at full width: %.0f GFLOP/s; peak memory %.0f MiB\n",
              a.model.preset.c_str(), static_cast<long long>(a.batch_size), static_cast<long long>(report.threads),
              report.precision.c_str(), report.gemm_gflops, report.peak_rss_mib);
  print_table(report, a.detail, a.scaling);
  if (a.scaling) {
    std::printf("the products at full width alone, %lld threads over one: speedup %.2fx\n",
                static_cast<long long>(report.threads), one.seconds() / rate.seconds());
  }
  std::printf("tensor memory asked from the system and strided copies in the timed steps: %s", table.empty() ? "none\n" : "\n");
  std::fputs(table.c_str(), stdout);
  return 0;
}

}  // namespace hv::train
