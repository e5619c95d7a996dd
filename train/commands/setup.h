// What several commands do first: choose the data, build or load the model, say what is in use.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/open.h"
#include "models/elastic.h"
#include "train/options.h"
#include "train/state/checkpoint.h"

namespace hv::train {

// Starts the threads (0: as many as cores) and the BLAS. Called once, before any computing.
// Where the processor has no bf16 units, fp32 is used instead, with a notice.
void start_compute(int64_t threads, const std::string& precision = "fp32");
void say(const std::string& line);  // to stderr
// A file that a command will write, checked before its work: a folder, a device, a checkpoint (its loss would be the loss of a
// training) and a place that cannot be written to are errors.
void check_output(const std::string& option, const std::string& path);

// The folder given, else $HYDRAVIT_DATA, else datasets/ if data lies there, else the built-in shapes10, with a notice.
data::Source choose_data(const std::string& folder, const std::string& kind, int64_t image_size);
// "OpenBLAS 0.3.21 (SkylakeX), SIMD v4, 2 threads, seed 0, data cifar10 from datasets: 50000 training, 10000 test images"
std::string start_line(int64_t seed, const data::Source& source, const data::Dataset* train, const data::Dataset* test);
std::map<std::string, std::string> provenance(const data::Source& source, const data::Dataset& train,
                                              const data::Dataset* test);

// The widths that `heads` names ("" means all of the model's). One the model does not have: an error (Fault::usage).
std::vector<models::Subnet> choose_widths(const models::ElasticModel& model, const std::string& heads);

// A model out of a checkpoint (file or run folder), with its weights or, if asked, their average.
struct Loaded {
  Header header;
  std::unique_ptr<models::ElasticModel> model;
  std::string path;
};
Loaded load_model(const std::string& run_or_file, bool ema = false);
// The architecture alone, from a header. One that does not build is a damaged file (Fault::input).
std::unique_ptr<models::ElasticModel> model_of(const Header& header, const std::string& path);
// The widths a checkpoint was trained for.
std::string trained_heads(const Header& header);

}  // namespace hv::train
