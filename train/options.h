// The options of a training: their defaults, and the list that names them (train/io/fields.h).
// Thread rule: plain data.
#pragma once

#include <any>
#include <cstdint>
#include <map>
#include <string>
#include <typeindex>

#include "data/label_counts.h"
#include "models/elastic.h"
#include "train/choice/choose.h"
#include "train/io/fields.h"

namespace hv::train {

inline constexpr const char* kAsPreset = "preset";  // of an entry of the model's configuration, or the recipe: the preset's own
inline constexpr const char* kOfInit = "init";      // of --preset: the model of the checkpoint that --init names

struct TrainOptions {
  std::string preset = "nano", recipe = kAsPreset;  // recipe: see recipe_of()
  models::Config model;                             // no option: with preset = kOfInit the checkpoint's
  SubnetChoice subnets;                             // to train
  std::map<std::string, std::string> settings;      // models::Setting -> its value, or kAsPreset
  std::string data, kind = "auto";
  int64_t epochs = 0, steps = 0;
  double minutes = 0;
  int64_t batch_size = 128, grad_accum = 1;
  std::string optimizer = "adamw", schedule = "cosine";
  double lr = 1e-3, min_lr = 0, weight_decay = 0.05, momentum = 0.9;
  double warmup = 0.05;
  int64_t warmup_steps = -1;
  double clip_grad = 0, smoothing = 0.1, drop_path = 0, dropout = 0, ema = 0.999;
  bool active_only = false;
  std::string init = "trunc_normal";
  std::string augment = "auto";  // auto: what suits the data (data::Dataset::default_augment)
  double mixup = -1, cutmix = -1, erase = -1;
  int64_t randaugment = -1;
  bool shuffle = true;
  int64_t train_limit = 0;
  std::string eval_subnets;  // patterns; empty: a few (train/choice/few.h)
  int64_t eval_every = 1, eval_limit = 2000, eval_batch = 250;
  int64_t save_every = 0, keep_last = 2, log_interval = 50, stop_after = 0;
  bool keep_best = true, tensorboard = false;
  int64_t seed = 0, threads = 0;
  std::string precision = "fp32", on_nan = "stop";
  std::string out;
  data::LabelCounts label_counts;  // no option: of the training images, once the data are open

  // The options that only one recipe has (train/recipe.h), in a struct of that recipe. They begin with their defaults.
  template <class Own>
  Own& own() {
    std::any& value = own_[typeid(Own)];
    if (!value.has_value()) value = Own{};
    return *std::any_cast<Own>(&value);
  }
  template <class Own>
  Own own() const {
    const auto found = own_.find(typeid(Own));
    return found == own_.end() ? Own{} : *std::any_cast<Own>(&found->second);
  }

 private:
  std::map<std::type_index, std::any> own_;
};

// The options for the entries of a model's configuration that only some kinds have (models::Setting).
Fields setting_fields(TrainOptions& options);
// The list of all options of a training, with pointers into `options`: it ends when another value is assigned to `options`.
Fields train_fields(TrainOptions& options);
// The configuration that the preset stands for, for `classes` classes; 0: as many as it is made for.
models::Config base_model(const TrainOptions& options, int64_t classes);
std::string recipe_of(const TrainOptions& options);  // the name of the run's recipe: of --recipe, else models::Kind::recipe
// Those of them that describe this run: without the options of recipes and models that it does not use, and with the recipe by
// its name. Checkpoints store their values.
Fields run_fields(TrainOptions& options);
std::string option_of(std::string setting);  // "scale_dim" -> "scale-dim", "image" -> "image-size"
// Whether an option may be given together with --resume. Such options do not change the numbers that a step computes.
bool may_change_on_resume(const std::string& name);
void check_options(const TrainOptions& options);  // checks that concern several options at once; Fault::usage
// What a user may not expect where a unit is larger than the whole run, a line each: for example a step of more passes than
// --epochs has. `batches`: passes per epoch; `steps`: of the run, 0 if the clock alone limits it.
std::vector<std::string> notices(const TrainOptions& options, int64_t batches, int64_t steps);

}  // namespace hv::train
