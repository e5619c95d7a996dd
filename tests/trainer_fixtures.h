// What the tests of training share: a model and options small enough to train in a moment, a run, a folder that removes itself.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "data/shapes10.h"
#include "models/hydravit.h"
#include "tests/temp_dir.h"
#include "train/files/file.h"
#include "train/log/run_log.h"
#include "train/recipes/hydravit.h"
#include "train/trainer.h"

namespace hv::trainer_fixtures {

using namespace hv::train;

namespace fs = std::filesystem;

inline models::Config tiny_model() {
  models::HydraViTConfig config;
  config.patch = 8;
  config.depth = 2;
  config.head_dim = 8;
  config.heads_min = 1;
  config.heads = 3;
  config.drop_path = 0.2;
  config.dropout = 0.1;
  return models::to_config(config);
}

inline const data::Dataset& images(data::Split split) {
  static const data::DatasetPtr train = data::make_shapes10(data::Split::train, 104),
                                test = data::make_shapes10(data::Split::test, 50);
  return split == data::Split::train ? *train : *test;
}

inline TrainOptions tiny_options() {  // with everything that draws random numbers or carries state
  TrainOptions o;
  o.steps = 30;
  o.batch_size = 16;  // 6 batches per epoch
  o.lr = 3e-3;
  o.ema = 0.9;
  o.clip_grad = 0.5;
  o.augment = "full";
  o.seed = 5;
  o.eval_batch = 20;
  return o;
}

// A trainer whose run() is logged into its folder, as the program does.
struct LoggedTrainer : Trainer {
  LoggedTrainer(const RunSetup& setup, std::unique_ptr<Recipe> recipe)
      : Trainer(setup, std::move(recipe)), log(setup.folder, setup.options, setup.test, false) {}
  Ending run() { return Trainer::run(log); }
  RunLog log;
};

struct Run {
  using MakeRecipe = std::function<std::unique_ptr<Recipe>(models::ElasticModel&)>;
  explicit Run(const TrainOptions& options, const std::string& folder = "", bool test = false,
               std::function<void(int64_t, double)> on_step = {}, const models::Config& config = tiny_model(),
               const MakeRecipe& recipe = {})
      : model(models::make_model(config, static_cast<uint64_t>(options.seed))),
        trainer({*model,
                 model->subnets(),
                 images(data::Split::train),
                 test ? &images(data::Split::test) : nullptr,
                 options,
                 folder,
                 {},
                 std::move(on_step)},
                recipe ? recipe(*model) : make_recipe(options, *model, model->subnets())) {}
  std::vector<double> state() const {
    std::vector<double> all;
    for (const NamedTensor& tensor : trainer.tensors()) {
      const std::vector<double> values = tensor.value.to_vector();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
  std::unique_ptr<models::ElasticModel> model;
  LoggedTrainer trainer;
};

using fixtures::Folder;

// A model this small runs as fast on one thread, and on a busy machine much faster.
struct Threads {
  explicit Threads(int n = 1) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before = num_threads();
};

inline std::vector<std::string> lines(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

}  // namespace hv::trainer_fixtures
