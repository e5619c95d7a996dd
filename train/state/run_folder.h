// The folder of a run: made for a new run, held by one process at a time.
//
// Invariants
//   1. While a FolderLock lives, no other process gets one for that folder. The lock is the process's own: it goes with it,
//      however it ends. The file run.lock stays and means nothing by itself.
//   2. A folder that holds a run is never given to a new one.
// Thread rule: one thread.
#pragma once

#include <functional>
#include <string>

namespace hv::train {

// The names of the newest states, from 0: last.ckpt, prev.ckpt, prev2.ckpt, prev3.ckpt, ...
std::string kept_path(const std::string& folder, int64_t age);

// A folder for a new run; empty: runs/<preset>-<date>-<time>, with a number if that is taken.
// Fails here, before any training, if nothing can be written in it.
std::string make_run_folder(const std::string& wanted, const std::string& preset);
void refuse_second_run(const std::string& folder);  // Fault::usage if the folder holds a run already

class FolderLock {
 public:
  // Another process holds it: Fault::usage, with its number. A file system without locks: `warn` is told, and nothing is
  // locked.
  FolderLock(const std::string& folder, const std::function<void(const std::string&)>& warn);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace hv::train
