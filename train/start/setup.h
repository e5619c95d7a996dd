// What commands do first: start computing, choose the data, build what is trained.
// Thread rule: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/open.h"
#include "models/elastic.h"
#include "train/options.h"
#include "train/state/checkpoint.h"

namespace hv::train {

// Starts the threads (0: as many as cores) and the BLAS. Called once, before any computing.
// If the processor has no bf16 units, fp32 is used instead, with a notice.
void start_compute(int64_t threads, const std::string& precision = "fp32");

// The folder given, else $HYDRAVIT_DATA, else datasets/ if data lies there, else the built-in shapes10, with a notice.
data::Source choose_data(const std::string& folder, const std::string& kind, int64_t image_size);
// Tells people what data sets have to say of themselves (data::Dataset::notes), each line once.
void say_notes(const std::vector<const data::Dataset*>& sets);

struct Prepared {
  data::Source source;
  data::DatasetPtr train, test;
  data::DatasetPtr validation;  // null if the data has none
  std::unique_ptr<models::ElasticModel> model;
  std::vector<models::Subnet> subnets;
};

// Starts computing, opens the data (and writes into the options where they are, which augmentation suits them and how often
// labels occur), says what is in use, builds the model: a checkpoint's if there is one, else a new one with the first weights
// that --init names.
Prepared prepare(TrainOptions& options, const Checkpoint* checkpoint = nullptr);

}  // namespace hv::train
