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
#include "train/io/printable.h"
#include "train/optim/optimizer.h"
#include "train/start/model_choice.h"
#include "train/start/setup.h"
#include "train/state/load.h"
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

// What is timed.
struct Candidate {
  std::string name;  // of its checkpoint
  std::unique_ptr<models::ElasticModel> model;
  std::vector<models::Subnet> subnets;
  std::unique_ptr<Optimizer> optimizer = {};
  data::Batch batch = {};
};

std::vector<Candidate> candidates_of(const BenchArguments& a) {
  std::vector<Candidate> all;
  for (const std::string& path : a.checkpoints) {
    Loaded loaded = load_model(path);
    std::vector<models::Subnet> subnets = choose_trained(loaded.model->subnets(), loaded.header, a.model.subnets);
    all.push_back({path, std::move(loaded.model), std::move(subnets)});
  }
  if (all.empty()) {
    auto model = models::make_model(model_config(a.model, 0), 0);
    std::vector<models::Subnet> subnets = choose_subnets(*model, a.model.subnets);
    all.push_back({"", std::move(model), std::move(subnets)});
  }
  for (Candidate& one : all) {
    one.optimizer = make_optimizer(one.model->parameters(), {});
    one.batch = any_batch(*one.model, a.batch_size);
  }
  return all;
}

std::string name_of(const BenchArguments& a, const Candidate& candidate) {
  return candidate.name.empty() ? "preset " + a.model.preset : printable(candidate.name);
}

int run_recipe(const BenchArguments& a, const Candidate& candidate) {
  TrainOptions options = a.model;
  options.recipe = a.recipe;
  models::ElasticModel& model = *candidate.model;
  const std::vector<models::Subnet>& subnets = candidate.subnets;
  const std::unique_ptr<Recipe> recipe = make_recipe(options, model, subnets);
  model.train(true);
  const RecipeTimes t = time_recipe(*recipe, model, subnets, *candidate.optimizer, candidate.batch, a.steps);
  const double memory = static_cast<double>(t.step_bytes) / static_cast<double>(t.alone_bytes);
  if (a.json) {
    Json json{{"recipe", a.recipe}, {"batch", a.batch_size}, {"threads", num_threads()}};
    json.add("step_ms", 1000 * t.step).add("update_ms", 1000 * t.update).add("passes_alone_ms", 1000 * t.alone);
    json.add("ratio", t.ratio).add("memory_ratio", memory).add("chunks", t.chunks).add("strided_copies", t.strided_copies);
    std::printf("%s\n", json.text().c_str());
    return 0;
  }
  std::printf("%s, recipe %s, batch %lld, %d threads, %s: medians of %lld steps\n", name_of(a, candidate).c_str(),
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
  HV_CHECK_USAGE(a.recipe.empty() || a.checkpoints.size() < 2, "bench: --recipe times one model, found ", a.checkpoints.size());
  start_compute(a.threads, a.precision);
  const std::vector<Candidate> candidates = candidates_of(a);
  const Candidate& first = candidates[0];
  if (!a.recipe.empty()) return run_recipe(a, first);

  ProductsAlone rate([&] {  // of this machine: the products of the linear layers of the first model at full width
    const NoGrad off;
    first.model->forward(first.batch.images, first.model->subnets().back());
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
  std::string notes;
  for (const std::string mode : {"train", "infer"}) {
    if (a.mode.find(mode) == std::string::npos) continue;
    const bool training = mode == "train";
    std::vector<std::pair<const Candidate*, models::Subnet>> rows;
    std::vector<std::function<void()>> works;
    for (const Candidate& candidate : candidates) {
      candidate.model->train(training);
      for (const models::Subnet& subnet : candidate.subnets) {
        rows.emplace_back(&candidate, subnet);
        works.emplace_back([&candidate, subnet, training] {
          if (training) {
            pass_alone(*candidate.model, subnet, candidate.batch);
            candidate.optimizer->step(1e-4, 1);
          } else {
            const NoGrad off;
            candidate.model->forward(candidate.batch.images, subnet);
          }
        });
      }
    }
    const std::vector<Timed> times = time_in_turn(a.steps, a.detail || a.json, a.scaling, works);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& [candidate, subnet] = rows[i];
      const Timed& timed = times[i];
      const double images = static_cast<double>(a.batch_size);
      const int64_t macs = candidate->model->macs(subnet);
      const double operations = 2.0 * static_cast<double>(macs) * images * (training ? 3 : 1);
      report.results.push_back({mode, candidate->name, subnet, a.batch_size, macs, images / timed.seconds, 1000 * timed.seconds,
                                operations / timed.seconds / 1e9, timed.products / timed.seconds, timed.split,
                                timed.one_thread / timed.seconds});
      if (timed.chunks + timed.strided_copies > 0) {
        notes += concat("  ", mode, " ", candidate->name, candidate->name.empty() ? "" : " ", subnet.label, ": ", timed.chunks,
                        " pool chunks and ", timed.strided_copies, " strided copies in the timed steps\n");
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
  const std::string what = candidates.size() == 1 ? name_of(a, first) : concat(candidates.size(), " checkpoints in turn");
  std::printf("%s, batch %lld, %lld threads, %s; matrix products at full width: %.0f GFLOP/s; peak memory %.0f MiB\n",
              what.c_str(), static_cast<long long>(a.batch_size), static_cast<long long>(report.threads),
              report.precision.c_str(), report.gemm_gflops, report.peak_rss_mib);
  print_table(report, a.detail, a.scaling);
  if (a.scaling) {
    std::printf("the products at full width alone, %lld threads over one: speedup %.2fx\n",
                static_cast<long long>(report.threads), one.seconds() / rate.seconds());
  }
  std::printf("tensor memory asked from the system and strided copies in the timed steps: %s", notes.empty() ? "none\n" : "\n");
  std::fputs(notes.c_str(), stdout);
  return 0;
}

}  // namespace hv::train
