// The commands of the program, one file each.
#pragma once

#include "train/io/cli.h"

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

}  // namespace hv::train
