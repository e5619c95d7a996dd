// The commands of the program, one file each.
#pragma once

#include "train/io/cli.h"
#include "train/options.h"

namespace hv::train {

Command train_command();
Command lr_find_command();
Command eval_command();
Command predict_command();
Command bench_command();
Command info_command();
Command report_command();
Command export_command();
Command import_command();
Command data_command();
Command slim_command();

// A command that trains, as `train`: with other defaults, and options that `prepare` completes before a new run.
Command training_command(const std::string& name, const std::string& help, const TrainOptions& defaults,
                         std::vector<Positional> positionals, std::function<void(TrainOptions&)> prepare);

}  // namespace hv::train
