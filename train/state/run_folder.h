// The folder of a run: made for a new run, held by one process at a time, with the newest states of the run.
//
// Invariants
//   1. While a FolderLock lives, no other process gets one for that folder. The kernel releases the lock when the process ends,
//      however it ends. The file run.lock stays and means nothing by itself.
//   2. A folder that holds a run, or anything else, is never given to a new run.
//   3. A run folder may come from a stranger. Its files are opened through the held folder (train/files/folder.h), so that no
//      link in it is followed.
// Thread rule: one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "train/state/checkpoint.h"

namespace hv::train {

// The names of the newest states, from 0: last.ckpt, prev.ckpt, prev2.ckpt, prev3.ckpt, ...
std::string kept_name(int64_t age);
std::string kept_path(const std::string& folder, int64_t age);
// Is it the name of a state that a run saves: one of the above or best.ckpt?
bool is_state_name(const std::string& name);
// Does the folder hold last.ckpt or prev.ckpt? A folder with prev.ckpt alone has lost its last.ckpt.
bool holds_run(const OpenFolder& folder);

// A folder for a new run. If `wanted` is empty: runs/<preset>-<date>-<time>, with a number if that is taken.
// Fails here, before any training, if it holds something already (Fault::usage) or if nothing can be written in it.
OpenFolder make_run_folder(const std::string& wanted, const std::string& preset);
void refuse_used_folder(const OpenFolder& folder);  // Fault::usage if the folder holds a run or anything else
// Fault::input if a name that a run writes or reads belongs to something else than a file: a link, a pipe, a folder.
void check_run_files(const OpenFolder& folder);

// The lock is taken on a file that only its owner may open, not on the folder: whoever may list a folder could lock that for
// ever.
class FolderLock {
 public:
  // If another process holds the lock: an error (Fault::usage) with the number of that process. A run.lock that is a link, or
  // holds anything but a process number: Fault::input. On a file system without locks `warn` is called, and nothing is locked.
  FolderLock(const OpenFolder& folder, const std::function<void(const std::string&)>& warn);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  // Takes the lock again if somebody has removed run.lock. An error, as above, if another process was faster.
  void hold();

 private:
  void take();
  OpenFolder folder_;
  std::function<void(const std::string&)> warn_;
  int file_ = -1;
};

// CKPT of the command line: a file, or a run folder, which means its last.ckpt.
Place checkpoint_place(const std::string& run_or_file);
// The same for loading. If a folder's last.ckpt is missing or damaged, `warn` is called, and the state before it is loaded.
Checkpoint load_run(const std::string& run_or_file, const std::function<void(const std::string&)>& warn,
                    const std::function<bool(const std::string&)>& wanted = {});
Checkpoint load_run(const OpenFolder& folder, const std::function<void(const std::string&)>& warn,
                    const std::function<bool(const std::string&)>& wanted = {});
// Saves as last.ckpt of the folder. Of the older states the newest `keep_last - 1` stay.
void save_run(const OpenFolder& folder, const Header& header, const std::vector<NamedTensor>& tensors, int64_t keep_last);
// Called before a run goes on from `checkpoint` of its folder: that file becomes last.ckpt again. Newer files, which could not
// be read, are renamed to <name>.damaged, so that none of them ever takes the place of a good one.
void go_on_from(const OpenFolder& folder, const std::string& checkpoint);

}  // namespace hv::train
