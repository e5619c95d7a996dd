// What `hydravit slim cut` does: from a search to the checkpoint of a cut model.
// Thread rule: one thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "train/slim/cut.h"

namespace hv::train {

struct CutArguments {
  std::vector<std::string> run;
  CutOptions options;
  std::string out;
  bool ema = false, force = false, json = false;
};

// `given`: the names of the options that were given. Returns the exit code.
int run_cut(const CutArguments& arguments, const std::set<std::string>& given);

}  // namespace hv::train
