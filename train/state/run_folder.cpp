#include "train/state/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "core/check.h"
#include "train/io/file.h"

namespace hv::train {

std::string kept_path(const std::string& folder, int64_t age) {
  if (age == 0) return join_path(folder, "last.ckpt");
  return join_path(folder, age == 1 ? "prev.ckpt" : concat("prev", age, ".ckpt"));
}

void refuse_second_run(const std::string& folder) {
  for (const int64_t age : {0, 1}) {  // a folder with prev.ckpt alone has lost its last.ckpt
    HV_CHECK_USAGE(!file_exists(kept_path(folder, age)), folder, ": holds a run already; continue it with --resume ", folder,
                   " or choose another --out");
  }
}

std::string make_run_folder(const std::string& wanted, const std::string& preset) {
  std::string folder = wanted;
  if (folder.empty()) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    const std::string base = join_path("runs", concat(preset, "-", stamp));
    make_folders("runs");
    folder = base;
    int number = 1;  // two runs that begin in the same second get two folders
    while (!make_folder(folder)) folder = concat(base, "-", ++number);
  } else {
    refuse_second_run(folder);
    make_folders(folder);
  }
  AtomicFile probe(kept_path(folder, 0));  // created and removed: can we write here?
  return folder;
}

FolderLock::FolderLock(const std::string& folder, const std::function<void(const std::string&)>& warn) {
  const std::string path = join_path(folder, "run.lock");
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) write_failed(path, "open", errno);
  if (flock(file_, LOCK_EX | LOCK_NB) == 0) {
    const std::string text = concat(getpid(), "\n");
    // The number is for the error message of other processes. The lock holds even if the number cannot be written.
    [[maybe_unused]] const bool told = ftruncate(file_, 0) == 0 && pwrite(file_, text.data(), text.size(), 0) > 0;
  } else if (errno == EWOULDBLOCK) {
    char text[32] = {};
    [[maybe_unused]] const ssize_t read = pread(file_, text, sizeof text - 1, 0);
    close(file_);
    fail(Fault::usage, folder, ": another training is going on in this folder, process ", std::strtol(text, nullptr, 10),
         "; wait for it, stop it, or choose another --out");
  } else {
    warn(concat("NOTICE: ", path, ": cannot lock: ", std::strerror(errno), "; see to it that no second run uses this folder"));
  }
}

FolderLock::~FolderLock() { close(file_); }

std::string checkpoint_path(const std::string& run_or_file) {
  return is_folder(run_or_file) ? kept_path(run_or_file, 0) : run_or_file;
}

Checkpoint load_run(const std::string& run_or_file, const std::function<void(const std::string&)>& warn,
                    const std::function<bool(const std::string&)>& wanted) {
  if (!is_folder(run_or_file)) return load_checkpoint(run_or_file, wanted);
  for (int64_t age = 0;; ++age) {
    const std::string before = kept_path(run_or_file, age + 1);
    try {
      return load_checkpoint(kept_path(run_or_file, age), wanted);
    } catch (const Error& error) {
      if (error.fault() != Fault::input || !file_exists(before)) throw;
      warn(concat("WARNING: ", error.what(), "; using the one before it, ", before));
    }
  }
}

void save_run(const std::string& folder, const Header& header, const std::vector<NamedTensor>& tensors, int64_t keep_last) {
  std::vector<std::string> keep;
  for (int64_t age = 1; age < keep_last; ++age) keep.push_back(kept_path(folder, age));
  save_checkpoint(kept_path(folder, 0), header, tensors, keep);
  int64_t age = keep_last;  // an earlier session may have kept more
  while (remove_file(kept_path(folder, age))) ++age;
}

void go_on_from(const std::string& folder, const std::string& checkpoint) {
  const std::string last = kept_path(folder, 0);
  if (checkpoint == last) return;
  int64_t end = 1;
  while (kept_path(folder, end) != checkpoint && file_exists(kept_path(folder, end))) ++end;
  if (file_exists(last)) keep_as(last, last + ".damaged");
  rename_file(checkpoint, last);  // first, so that load_run() finds a good state without a gap at every moment
  for (int64_t age = 1; age < end; ++age) rename_file(kept_path(folder, age), kept_path(folder, age) + ".damaged");
}

}  // namespace hv::train
