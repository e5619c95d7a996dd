#include "train/predict/need.h"

#include <algorithm>

#include "core/check.h"
#include "core/parallel.h"
#include "train/io/memory.h"
#include "train/io/numbers.h"
#include "train/io/print.h"

namespace hv::train {
namespace {

// The most multiply-adds of one image's pass: some 2 s on two cores, and more for a large model, which uses each of its weights
// per token (at most 4,097), and as much again for its attention. Models whose work is out of proportion to their weights split
// many tokens among hundreds of tiny heads. In any case at most some 50 s. Attention maps may take longer: a product per block.
double most_work(double params, Pass pass) { return std::min(5e12, 2e11 + 16e3 * params) * (pass == Pass::forward ? 1 : 10); }

// Backward takes as long as two passes forward.
double work_of(const models::Need& need, Pass pass) {
  return need.work * (pass == Pass::relevance ? 4 : 1) + (pass == Pass::forward ? 0 : need.rollout_work);
}

struct Sizes {
  models::Need need;
  double pixels = 0, classes = 0, params = 0, depth = 0;
  std::string label;  // of the subnetwork that needs the most
};

Sizes sizes_of(const std::string& where, const models::Config& model, const std::vector<models::Subnet>& subnets,
               Pass pass = Pass::forward) {
  Sizes most;
  const auto at_most = [](double& value, double other) { value = std::max(value, other); };
  const std::vector<models::Cost> costs = models::costs(model);
  for (const models::Cost& cost : costs) {
    most.params = static_cast<double>(cost.params);
    const bool asked =
        std::any_of(subnets.begin(), subnets.end(), [&](const models::Subnet& subnet) { return subnet.id == cost.subnet.id; });
    if (!asked) continue;
    const double work = work_of(cost.need, pass), limit = most_work(most.params, pass);
    HV_CHECK_INPUT(work <= limit, where, ": one image at ", cost.subnet.label, " takes the time of ", print("%.1e", work),
                   " multiply-adds, expected at most ", print("%.1e", limit), " for ", print("%.1e", most.params),
                   " weights; choose a narrower width with --heads, if there is one");
    if (cost.need.forward >= most.need.forward) most.label = cost.subnet.label;
    at_most(most.need.forward, cost.need.forward);
    at_most(most.need.training, cost.need.training);
    at_most(most.need.rollout, cost.need.rollout);
    at_most(most.need.thread, cost.need.thread);
  }
  most.params = static_cast<double>(models::all_params(costs));
  const auto number = [&](const char* name) {
    const auto found = model.find(name);
    double value = 0;
    return found != model.end() && parse_number(found->second, value) ? value : 0.0;
  };
  most.classes = number("classes");
  most.depth = number("depth");
  most.pixels = 3 * number("image") * number("image");
  return most;
}

// Of one image: as bytes, in a batch and in the batch that is loaded meanwhile; its logits and probabilities.
double image_bytes(const Sizes& sizes) { return 9 * sizes.pixels + 24 * sizes.classes; }

// Numbers that a pass holds for an image. Maps for relevance: a training's graph, and per block some copies of the maps; what a
// rollout holds beside its forward pass is about three of them.
double numbers_of(const Sizes& sizes, Pass pass) {
  if (pass == Pass::forward) return sizes.need.forward;
  if (pass == Pass::rollout) return sizes.need.rollout;
  return std::max(sizes.need.rollout, sizes.need.training + 2 * (sizes.depth + 1) * (sizes.need.rollout - sizes.need.forward));
}

double thread_bytes(const Sizes& sizes) { return 4 * sizes.need.thread * num_threads(); }

}  // namespace

int64_t fitting_batch(const std::string& where, const models::Config& model, const std::vector<models::Subnet>& subnets,
                      int64_t most, Pass pass, double kept) {
  const Sizes sizes = sizes_of(where, model, subnets, pass);
  const double one = 4 * numbers_of(sizes, pass) + image_bytes(sizes);
  const double beside = thread_bytes(sizes) + kept, budget = memory_budget();
  HV_CHECK_INPUT(beside + one <= budget, where, ": one image at ", sizes.label, " needs ", bytes_text(beside + one),
                 " of memory, there are ", bytes_text(budget),
                 "; choose a narrower width with --heads, or allow more with --memory");
  const double fit = (budget - beside) / one;
  return fit < static_cast<double>(most) ? static_cast<int64_t>(fit) : most;
}

double work_of(const models::Config& model, const std::vector<models::Subnet>& subnets, Pass pass) {
  double work = 0;
  const std::vector<models::Cost> costs = models::costs(model);
  for (const models::Subnet& subnet : subnets) work += work_of(costs.at(static_cast<size_t>(subnet.id)).need, pass);
  return work;
}

void check_training_fits(const models::Config& model, const std::vector<models::Subnet>& subnets, const TrainOptions& o,
                         int64_t test_images) {
  const Sizes sizes = sizes_of("--preset: " + o.preset, model, subnets);
  const double copies = 2 + (o.optimizer == "adamw" ? 2 : 1) + (o.ema > 0 ? 1 : 0);  // of the weights
  const double beside = 4 * copies * sizes.params + thread_bytes(sizes), budget = memory_budget();
  const auto check = [&](int64_t images, double numbers, const char* option, const char* advice) {
    const double need = beside + static_cast<double>(images) * (4 * numbers + image_bytes(sizes));
    HV_CHECK_USAGE(need <= budget, option, ": ", images, " images a pass at ", sizes.label, " need ", bytes_text(need),
                   " of memory, there are ", bytes_text(budget), "; ", advice, ", or allow more with --memory");
  };
  check(o.batch_size, sizes.need.training, "--batch-size",
        "lower it and raise --grad-accum as much, train narrower --heads or a smaller --preset");
  check(std::min(o.eval_batch, test_images), sizes.need.forward, "--eval-batch", "lower it");
}

}  // namespace hv::train
