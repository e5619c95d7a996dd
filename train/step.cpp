#include "train/step.h"

#include <cmath>

namespace hv::train {
namespace {

data::LoaderConfig loader_config(const data::Dataset& train, const TrainOptions& o) {
  const int64_t images = o.train_limit > 0 ? std::min(o.train_limit, train.size()) : train.size();
  HV_CHECK_USAGE(o.batch_size <= images, "--batch-size: ", o.batch_size, " is more than the ", images, " training images");
  data::LoaderConfig config;
  config.batch_size = o.batch_size;
  config.seed = static_cast<uint64_t>(o.seed);
  config.augment = augmentation(o);
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

// Where the first value that is not finite stands, as "gradient of head.weight is not a number at element 7 of [10, 24]"; "" if
// none.
std::string bad_value(const std::string& name, const Tensor& tensor) {
  if (!tensor.defined()) return "";
  const Tensor flat = tensor.detach().contiguous();
  const Real* at = flat.data();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    if (!std::isfinite(at[i])) {
      return concat(name, " is ", std::isnan(at[i]) ? "not a number" : "infinite", " at element ", i, " of ", tensor.shape());
    }
  }
  return "";
}

// What made a loss or gradient bad: the first bad input, else weight, else gradient, else the largest weight, whose products
// overflow.
// A pass over all of them, made only then.
std::string cause(const data::Batch* batch, const std::vector<nn::Parameter>& parameters) {
  std::string found;
  if (batch) found = bad_value("input images", batch->images);
  if (batch && found.empty()) found = bad_value("input targets", batch->targets);
  for (const nn::Parameter& p : parameters) {
    if (found.empty()) found = bad_value("weight " + p.name, p.value);
  }
  for (const nn::Parameter& p : parameters) {
    if (found.empty()) found = bad_value("gradient of " + p.name, p.value.grad());
  }
  if (!found.empty()) return ": " + found;
  double largest = -1;
  for (const nn::Parameter& p : parameters) {
    for (const double value : p.value.to_vector()) {
      if (std::abs(value) > largest) largest = std::abs(value), found = p.name;
    }
  }
  return concat(": inputs, weights and gradients are finite, values between them overflow; the largest weight is ", largest,
                " in ", found);
}

}  // namespace

data::AugmentConfig augmentation(const TrainOptions& o) {
  data::AugmentConfig config = data::augment_preset(o.augment);
  if (o.mixup >= 0) config.mixup_alpha = o.mixup;
  if (o.cutmix >= 0) config.cutmix_alpha = o.cutmix;
  if (o.erase >= 0) config.erase_prob = o.erase;
  if (o.randaugment >= 0) config.ra_ops = static_cast<int>(o.randaugment);
  data::check_augment(config);
  return config;
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

double Stepper::run(int64_t step, double lr) {
  const TrainOptions& o = options_;
  double loss = 0;
  for (int64_t micro = 0; micro < o.grad_accum; ++micro) {
    const int64_t pass = step * o.grad_accum + micro;
    const data::Batch& batch = loader_.at(pass / loader_.batches(), pass % loader_.batches());
    const nn::NoiseScope noise(static_cast<uint64_t>(o.seed), static_cast<uint64_t>(pass));
    const Tensor value = recipe_->loss(model_, batch, step);
    loss += static_cast<double>(value.item()) / static_cast<double>(o.grad_accum);
    if (!std::isfinite(loss)) {
      fail(Fault::diverged, "the loss is ", std::isnan(loss) ? "not a number" : "infinite", cause(&batch, model_.parameters()));
    }
    value.backward();
  }
  double scale = 1 / static_cast<double>(o.grad_accum);
  // One read of the gradients also without clipping: a bad one is found before the optimiser writes it into the weights.
  const double norm = optimizer_->gradient_norm() * scale;
  if (!std::isfinite(norm)) {
    fail(Fault::diverged, "the gradient's norm is ", std::isnan(norm) ? "not a number" : "infinite",
         cause(nullptr, model_.parameters()));
  }
  if (o.clip_grad > 0 && norm > o.clip_grad) scale *= o.clip_grad / norm;
  optimizer_->step(lr, scale, ema_.values(), ema_.decay(step),
                   o.active_only ? model_.active(recipe_->subnet(step)) : std::vector<Tensor>{});
  return loss;
}

}  // namespace hv::train
