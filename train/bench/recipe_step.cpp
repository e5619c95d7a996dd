#include "train/bench/recipe_step.h"

#include <algorithm>

#include "core/storage.h"
#include "train/bench/measure.h"

namespace hv::train {
namespace {

// The most memory that `work` has in use above what was in use before.
int64_t most_bytes(const std::function<void()>& work) {
  reset_peak_memory();
  const int64_t before = memory_stats().live_bytes;
  work();
  return memory_stats().peak_bytes - before;
}

}  // namespace

void pass_alone(models::ElasticModel& model, const models::Subnet& subnet, const data::Batch& batch) {
  Tensor loss;
  for (const Tensor& logits : model.outputs(batch.images, subnet)) {
    const Tensor one = cross_entropy(logits, batch.targets, 0.1);
    loss = loss.defined() ? loss + one : one;
  }
  loss.backward();
}

RecipeTimes time_recipe(Recipe& recipe, models::ElasticModel& model, const std::vector<models::Subnet>& subnets,
                        Optimizer& optimizer, const data::Batch& batch, int64_t steps) {
  RecipeTimes times;
  const auto passes = [&](int64_t step) {
    recipe.passes(batch, step, [](const models::Subnet&, const Tensor& loss) { loss.backward(); });
  };
  const auto update = [&] {
    optimizer.gradient_norm();
    optimizer.step(1e-4, 1);
  };
  for (const models::Subnet& subnet : subnets) pass_alone(model, subnet, batch);
  for (int i = 0; i < 2; ++i) {
    passes(0);
    update();
  }
  std::vector<double> step_seconds, update_seconds, alone_seconds, ratios;
  for (int64_t step = 0; step < steps; ++step) {
    const MemoryStats before = memory_stats();
    double both = 0, last = 0;
    times.step_bytes = std::max(times.step_bytes, most_bytes([&] { both = seconds_of([&] { passes(step); }); }));
    both += last = seconds_of(update);
    const MemoryStats after = memory_stats();
    times.chunks += after.chunks - before.chunks;
    times.strided_copies += after.strided_copies - before.strided_copies;
    double alone = 0;
    for (const models::Subnet& subnet : recipe.trains(step)) {
      const auto pass = [&] { alone += seconds_of([&] { pass_alone(model, subnet, batch); }); };
      times.alone_bytes = std::max(times.alone_bytes, most_bytes(pass));
    }
    const NoGrad off;
    for (const nn::Parameter& p : model.parameters()) {
      if (p.value.grad().defined()) p.value.grad().fill_(0);
    }
    step_seconds.push_back(both);
    update_seconds.push_back(last);
    alone_seconds.push_back(alone);
    ratios.push_back(both / alone);
  }
  times.step = median(step_seconds);
  times.update = median(update_seconds);
  times.alone = median(alone_seconds);
  times.ratio = median(ratios);
  return times;
}

}  // namespace hv::train
