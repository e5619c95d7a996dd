// From options to what is trained: data, model, first weights, widths. Shared by `train` and `lr-find`.
#pragma once

#include <memory>
#include <vector>

#include "data/open.h"
#include "models/elastic.h"
#include "train/options.h"
#include "train/recipe.h"
#include "train/state/checkpoint.h"

namespace hv::train {

struct Prepared {
  data::Source source;
  data::DatasetPtr train, test;
  std::unique_ptr<models::ElasticModel> model;
  std::vector<models::Subnet> widths;
};

void check_heads(const TrainOptions& options);  // before anything is read or made; Fault::usage
// Starts computing, opens the data (and writes into the options where they are), says what is in use, builds the model: a
// checkpoint's where one is given, else a new one with the first weights that --init names.
Prepared prepare(TrainOptions& options, const Checkpoint* checkpoint = nullptr);
std::unique_ptr<Recipe> make_recipe(const TrainOptions& options, const std::vector<models::Subnet>& widths);

}  // namespace hv::train
