// What --resume names: the state that a run goes on from, and the folder that it goes on in.
//
// Invariant: nothing is written, no lock either, before what is named has proven to be a run's state.
// Thread rule: one thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "data/dataset.h"
#include "train/options.h"
#include "train/state/run_folder.h"

namespace hv::train {

struct Resumed {
  Checkpoint checkpoint;
  OpenFolder folder;  // none: the run goes on in a new folder, which --out names
  std::unique_ptr<FolderLock> lock;
};
// A run folder, or a file. A file goes on in its folder if it has the name of a state there (last.ckpt, prev.ckpt, best.ckpt,
// ...). Any other one may be the state of another run, so it needs `out`.
Resumed open_resumed(const std::string& run_or_file, const std::string& out);

// The stored options, replaced by those `given` now if that is allowed.
TrainOptions resumed_options(const Checkpoint& checkpoint, TrainOptions now, const std::set<std::string>& given);

// Other training images: an error (Fault::input). Other class names, and another build or processor whose last bits may differ,
// are told. Returns whether the test images are the same; if not, that is told.
bool check_same_run(const Checkpoint& checkpoint, const std::map<std::string, std::string>& now, const data::Dataset& train,
                    const std::string& source);

}  // namespace hv::train
