#include "train/options.h"

#include <algorithm>

#include "core/check.h"
#include "data/augment.h"
#include "data/open.h"
#include "models/kinds.h"
#include "train/optim/optimizer.h"
#include "train/optim/schedule.h"
#include "train/recipe.h"

namespace hv::train {
namespace {

constexpr const char* kModelTopic = "some models";
constexpr const char* kRecipeTopic = "recipe ";  // then its name

std::vector<std::string> recipe_names() {
  std::vector<std::string> names = {kAsPreset};
  for (const RecipeKind& kind : recipe_kinds()) names.push_back(kind.name);
  return names;
}

// An option that belongs to another recipe than the run's would have no effect, so it is an error.
void check_recipe_options(const TrainOptions& o) {
  TrainOptions now = o, defaults;
  const std::string recipe = recipe_of(o);
  Fields own;
  for (const RecipeKind& kind : recipe_kinds()) {
    if (kind.name == recipe) own = kind.options(now);
  }
  for (const RecipeKind& kind : recipe_kinds()) {
    const Fields fields = kind.options(now), plain = kind.options(defaults);
    for (size_t i = 0; i < fields.size(); ++i) {
      HV_CHECK_USAGE(find_field(own, fields[i].name) || fields[i].get() == plain[i].get(), "--", fields[i].name,
                     ": belongs to --recipe ", kind.name, ", this run's is ", recipe);
    }
  }
}

}  // namespace

Fields setting_fields(TrainOptions& o) {
  Fields fields;
  for (const models::Kind& kind : models::kinds()) {
    for (const models::Setting& setting : kind.settings) {
      if (find_field(fields, option_of(setting.name))) continue;  // kinds may share one
      std::string& value = o.settings.try_emplace(setting.name, kAsPreset).first->second;
      std::vector<std::string> choices = setting.choices;
      if (!choices.empty()) choices.insert(choices.begin(), kAsPreset);
      add_fields(fields, kModelTopic, {{option_of(setting.name), &value, setting.help, 0, 0, choices}});
    }
  }
  return fields;
}

Fields train_fields(TrainOptions& o) {
  Fields fields;
  std::vector<std::string> presets = models::model_names();
  presets.push_back(kOfInit);
  add_fields(
      fields, "model",
      {{"preset", &o.preset, "model; init: that of the checkpoint of --init", 0, 0, presets},
       {kSubnetsOption, &o.subnets.heads, "widths to train, as 5, 3-8, 3,5,8 or all; default: all of the preset"},
       {kNamesOption, &o.subnets.names, kNamesHelp},
       {"recipe", &o.recipe, "way of training; preset: the one that suits its model", 0, 0, recipe_names()},
       {"init", &o.init,
        "first weights: trunc_normal, reference (uniform, as the authors' code), a checkpoint, or timm's in safetensors"}});
  for (const Field& setting : setting_fields(o)) fields.push_back(setting);
  add_fields(fields, "data",
             {{"data", &o.data,
               "folder with the data, or shapes10 or findings8; default: $HYDRAVIT_DATA, else datasets/, else shapes10"},
              {"kind", &o.kind, "what the folder holds", 0, 0, data::kind_names()},
              {"shuffle", &o.shuffle, "a new order of the images every epoch"},
              {"train-limit", &o.train_limit, "use this many training images; 0: all", 0, kMany}});
  std::vector<std::string> augmentations = data::augment_presets();
  augmentations.insert(augmentations.begin(), "auto");
  add_fields(fields, "augmentation",
             {{"augment", &o.augment, "random changes of images; auto: basic, or what suits the data", 0, 0, augmentations},
              {"mixup", &o.mixup, "mixup's alpha; -1: as --augment says", -1, 100},
              {"cutmix", &o.cutmix, "cutmix's alpha; -1: as --augment says", -1, 100},
              {"erase", &o.erase, "probability of random erasing; -1: as --augment says", -1, 1},
              {"randaugment", &o.randaugment, "RandAugment operations an image; -1: as --augment says", -1, 16}});
  add_fields(fields, "schedule",
             {{"epochs", &o.epochs, "passes over the training images; default 10 unless --steps or --minutes is given", 0, 1e6},
              {"steps", &o.steps, "optimiser steps, instead of --epochs", 0, kMany},
              {"minutes", &o.minutes, "time limit; alone, the schedule follows the clock", 0, 1e6},
              {"batch-size", &o.batch_size, "images a pass", 1, 65536},
              {"grad-accum", &o.grad_accum, "passes a step", 1, 4096}});
  add_fields(fields, "optimisation",
             {{"optimizer", &o.optimizer, "optimiser", 0, 0, optimizer_names()},
              {"schedule", &o.schedule, "learning rate after the warm-up", 0, 0, schedule_names()},
              {"lr", &o.lr, "highest learning rate", 0, kMany},
              {"min-lr", &o.min_lr, "learning rate at the end of the cosine", 0, kMany},
              {"weight-decay", &o.weight_decay, "decay of weight matrices", 0, 1e3},
              {"momentum", &o.momentum, "of sgd", 0, 0.99999},
              {"warmup", &o.warmup, "share of the run with a rising learning rate", 0, 1},
              {"warmup-steps", &o.warmup_steps, "the same in steps; -1: use --warmup", -1, kMany},
              {"clip-grad", &o.clip_grad, "largest norm of the gradient; 0: no limit", 0, kMany},
              {"ema", &o.ema, "decay of the moving average of the weights; 0: none", 0, 0.9999999},
              {"active-only", &o.active_only, "update just the weights of the width drawn", 0, 0, {}, true}});
  add_fields(fields, "regularisation",
             {{"smoothing", &o.smoothing, "label smoothing", 0, 0.999},
              {"drop-path", &o.drop_path, "stochastic depth of the last block", 0, 0.99},
              {"dropout", &o.dropout, "dropout", 0, 0.99}});
  add_fields(fields, "evaluation",
             {{"eval-every", &o.eval_every, "evaluate after this many epochs; 0: at the end only", 0, 1e6},
              {"eval-limit", &o.eval_limit, "test images of these evaluations; 0: all. The last one uses all", 0, kMany},
              {"eval-subnets", &o.eval_subnets,
               "patterns of those that evaluations before the end measure, or all; default: at most 8"},
              {"eval-batch", &o.eval_batch, "images a pass of an evaluation", 1, 65536}});
  add_fields(fields, "saving",
             {{"save-every", &o.save_every, "save after this many steps; 0: after each epoch", 0, kMany},
              {"keep-last", &o.keep_last, "newest states to keep: last.ckpt, prev.ckpt, prev2.ckpt, ...", 1, 1000},
              {"keep-best", &o.keep_best, "keep the state of the best evaluation as best.ckpt"},
              {"stop-after", &o.stop_after, "save and stop after this many steps of this call; --resume goes on", 0, kMany},
              {"on-nan",
               &o.on_nan,
               "a loss or gradient that is not finite: stop, skip the step, or roll back to the last saved state",
               0,
               0,
               {"stop", "skip", "rollback"}},
              {"out", &o.out, "run folder; default: runs/<preset>-<date>-<time>"}});
  add_fields(fields, "logging",
             {{"log-interval", &o.log_interval,
               "steps between two lines of events.jsonl, and of stderr where it is no terminal", 1, kMany},
              {"tensorboard", &o.tensorboard, "write an event file for TensorBoard in the run folder"}});
  add_fields(fields, "machine",
             {{"seed", &o.seed, "of all randomness", 0, 9e15},
              {"threads", &o.threads, "cores to use; 0: all", 0, 1024},
              {"precision",
               &o.precision,
               "of the operands of products; weights, sums and all else stay fp32",
               0,
               0,
               {"fp32", "bf16"}}});
  for (const RecipeKind& kind : recipe_kinds()) {
    for (Field& field : kind.options(o)) {
      const Field* known = find_field(fields, field.name);  // two recipes may share a struct of options
      HV_CHECK(!known || known->at == field.at, "options: --", field.name, " of recipe ", kind.name,
               " has the name of another option");
      if (!known) add_fields(fields, kRecipeTopic + kind.name, {field});
    }
  }
  return fields;
}

models::Config base_model(const TrainOptions& o, int64_t classes) {
  if (o.preset != kOfInit) return models::named_model(o.preset, classes);
  HV_CHECK_USAGE(!o.model.empty(), "--preset init: --init names no checkpoint to take the model from");
  models::Config config = o.model;
  if (classes > 0) config["classes"] = std::to_string(classes);
  return config;
}

std::string recipe_of(const TrainOptions& o) {
  return o.recipe == kAsPreset ? models::kind_of(base_model(o, 0)).recipe : o.recipe;
}

Fields run_fields(TrainOptions& o) {
  o.recipe = recipe_of(o);
  Fields own;
  for (const RecipeKind& kind : recipe_kinds()) {
    if (kind.name == o.recipe) own = kind.options(o);
  }
  Fields fields = train_fields(o);
  const std::vector<models::Setting>& settings = models::kind_of(base_model(o, 0)).settings;
  std::erase_if(fields, [&](const Field& field) {
    const bool has =
        std::any_of(settings.begin(), settings.end(), [&](const auto& s) { return option_of(s.name) == field.name; });
    return (field.topic == kModelTopic && !has) || (field.topic.rfind(kRecipeTopic, 0) == 0 && !find_field(own, field.name));
  });
  return fields;
}

std::string option_of(std::string setting) {
  if (setting == "image" || setting == "patch") return setting + "-size";
  std::replace(setting.begin(), setting.end(), '_', '-');
  return setting;
}

bool may_change_on_resume(const std::string& name) {
  static const std::vector<std::string> names = {
      "data",      "epochs",       "steps",      "minutes", "eval-every", "eval-limit",   "save-every",  "keep-last",
      "keep-best", "log-interval", "stop-after", "threads", "eval-batch", "eval-subnets", "tensorboard", "on-nan"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_options(const TrainOptions& o) {
  HV_CHECK_USAGE(o.epochs == 0 || o.steps == 0, "--epochs ", o.epochs, " and --steps ", o.steps, ": give one of the two");
  HV_CHECK_USAGE(o.epochs > 0 || o.steps > 0 || o.minutes > 0, "nothing to do: give --epochs, --steps or --minutes");
  HV_CHECK_USAGE(o.min_lr <= o.lr, "--min-lr: ", o.min_lr, " is above --lr ", o.lr);
  HV_CHECK_USAGE(o.warmup_steps <= 0 || o.epochs > 0 || o.steps > 0,
                 "--warmup-steps: a run limited by --minutes alone has no steps to count; use --warmup");
  check_recipe_options(o);
}

std::vector<std::string> notices(const TrainOptions& o, int64_t batches, int64_t steps) {
  std::vector<std::string> lines;
  if (steps == 0) return lines;
  const double epochs = static_cast<double>(steps * o.grad_accum) / static_cast<double>(batches);
  if (o.epochs > 0 && o.grad_accum > o.epochs * batches) {
    lines.push_back(concat("NOTICE: --grad-accum ", o.grad_accum, ": one step takes more passes than the ", o.epochs * batches,
                           " of --epochs ", o.epochs, "; the run is 1 step of ", epochs, " epochs"));
  }
  if (o.warmup_steps > steps) {
    lines.push_back(concat("NOTICE: --warmup-steps ", o.warmup_steps, ": more than the ", steps,
                           " steps of the run; the learning rate does not reach --lr ", o.lr));
  }
  if (o.save_every > steps) {
    lines.push_back(concat("NOTICE: --save-every ", o.save_every, ": more than the ", steps,
                           " steps of the run; it is saved after evaluations and at the end only"));
  }
  if (o.eval_every > TrainOptions().eval_every && static_cast<double>(o.eval_every) > epochs) {
    lines.push_back(concat("NOTICE: --eval-every ", o.eval_every, ": more than the ", epochs,
                           " epochs of the run; it is evaluated at the end only"));
  }
  return lines;
}

}  // namespace hv::train
