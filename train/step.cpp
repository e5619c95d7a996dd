#include "train/step.h"

#include <algorithm>
#include <cmath>

#include "train/optim/not_finite.h"

namespace hv::train {
namespace {

data::LoaderConfig loader_config(const data::Dataset& train, const TrainOptions& o) {
  const int64_t images = o.train_limit > 0 ? std::min(o.train_limit, train.size()) : train.size();
  HV_CHECK_USAGE(o.batch_size <= images, "--batch-size: ", o.batch_size, " is more than the ", images, " training images");
  data::LoaderConfig config;
  config.batch_size = o.batch_size;
  config.seed = static_cast<uint64_t>(o.seed);
  config.augment = augmentation(o, train);
  config.shuffle = o.shuffle;
  config.limit = o.train_limit;
  return config;
}

OptimizerConfig optimizer_config(const TrainOptions& o) {
  OptimizerConfig config;
  config.kind = o.optimizer;
  config.weight_decay = o.weight_decay;
  config.momentum = o.momentum;
  return config;
}

}  // namespace

data::AugmentConfig augmentation(const TrainOptions& o, const data::Dataset& images) {
  data::AugmentConfig config = data::augment_preset(o.augment == "auto" ? images.default_augment() : o.augment);
  if (o.mixup >= 0) config.mixup_alpha = o.mixup;
  if (o.cutmix >= 0) config.cutmix_alpha = o.cutmix;
  if (o.erase >= 0) config.erase_prob = o.erase;
  if (o.randaugment >= 0) config.ra_ops = static_cast<int>(o.randaugment);
  data::check_augment(config);
  return config;
}

Live live_parts(const models::ElasticModel& model, const std::vector<models::Subnet>& trained, bool active_only) {
  Live parts;
  for (const models::Subnet& subnet : trained) parts.push_back(model.active(subnet));
  if (active_only) return parts;
  const std::vector<nn::Parameter> all = model.parameters();
  std::vector<Tensor> used;
  bool rests = false;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool use = std::any_of(parts.begin(), parts.end(), [&](const auto& own) { return own[i].numel() > 0; });
    used.push_back(use ? all[i].value : Tensor());
    rests = rests || !use;
  }
  return rests ? Live{used} : Live{};
}

Stepper::Stepper(models::ElasticModel& model, const data::Dataset& images, const TrainOptions& options,
                 std::unique_ptr<Recipe> recipe)
    : model_(model),
      options_(options),
      recipe_(std::move(recipe)),
      loader_(images, loader_config(images, options)),
      optimizer_(make_optimizer(model.parameters(), optimizer_config(options))),
      ema_(model, options.ema) {
  check_options(options);
}

StepLoss Stepper::run(int64_t step, double lr) {
  StepLoss losses;
  for (int64_t micro = 0; micro < options_.grad_accum; ++micro) {
    const int64_t pass = step * options_.grad_accum + micro;
    const data::Batch& batch = loader_.at(pass / loader_.batches(), pass % loader_.batches());
    const nn::NoiseScope noise(static_cast<uint64_t>(options_.seed), static_cast<uint64_t>(pass));
    recipe_->passes(batch, step, Learn([&](const std::vector<Term>& terms) { learn(terms, batch, losses); }));
  }
  HV_CHECK(!losses.passes.empty(), "step: the recipe '", recipe_of(options_), "' has handed over no loss in step ", step);
  for (const PassLoss& pass : losses.passes) losses.mean += pass.loss / static_cast<double>(losses.passes.size());
  if (exchange_) exchange_(model_.parameters(), recipe_->trains(step));
  update(step, lr);
  return losses;
}

// Ends one pass: records its losses, then runs backward, which frees its graph.
void Stepper::learn(const std::vector<Term>& terms, const data::Batch& batch, StepLoss& losses) const {
  Tensor mean;
  for (const auto& [subnet, loss] : terms) {
    const int64_t id = subnet.id;
    auto found =
        std::find_if(losses.passes.begin(), losses.passes.end(), [&](const PassLoss& pass) { return pass.subnet.id == id; });
    if (found == losses.passes.end()) found = losses.passes.insert(found, {subnet, 0});
    found->loss += static_cast<double>(loss.item()) / static_cast<double>(options_.grad_accum);
    if (!std::isfinite(found->loss)) {
      fail(Fault::diverged, "the loss is ", std::isnan(found->loss) ? "not a number" : "infinite",
           cause_of_bad_value(&batch, model_.parameters()));
    }
    mean = mean.defined() ? mean + loss : loss;
  }
  if (terms.size() > 1) mean = mean * (1 / static_cast<double>(terms.size()));
  mean.backward();
}

void Stepper::update(int64_t step, double lr) {
  double scale = 1 / static_cast<double>(options_.grad_accum);
  // The norm is computed even without clipping: a gradient that is not finite must be found before the optimiser uses it.
  const double norm = optimizer_->gradient_norm() * scale;
  if (!std::isfinite(norm)) {
    fail(Fault::diverged, "the gradient's norm is ", std::isnan(norm) ? "not a number" : "infinite",
         cause_of_bad_value(nullptr, model_.parameters()));
  }
  if (options_.clip_grad > 0 && norm > options_.clip_grad) scale *= options_.clip_grad / norm;
  const Live live = live_parts(model_, recipe_->trains(step), options_.active_only);
  whole_ = false;
  optimizer_->step(lr, scale, ema_.values(), ema_.decay(step), live);
  whole_ = true;
}

}  // namespace hv::train
