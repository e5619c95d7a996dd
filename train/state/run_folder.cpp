#include "train/state/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/check.h"
#include "train/files/file.h"
#include "train/io/printable.h"

namespace hv::train {
namespace {

constexpr const char* kLock = "run.lock";

bool is_digits(const std::string& text) { return text.find_first_not_of("0123456789") == std::string::npos; }

// A lock holds nothing or the number of a process. Anything else, or a file with a second name, is someone's file.
bool is_lock(const Place& place) {
  struct stat info {};
  if (fstatat(place.at(), place.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  if (!S_ISREG(info.st_mode) || info.st_nlink > 1 || info.st_size > 20) return false;
  char text[24] = {};
  const int file = place.open(O_RDONLY | O_NONBLOCK);
  if (file < 0) return errno == EACCES;  // another user's lock: it is refused when it is opened for writing
  const ssize_t bytes = pread(file, text, sizeof text - 1, 0);
  close(file);
  const std::string number = text;
  return bytes >= 0 && std::strlen(text) == static_cast<size_t>(bytes) &&
         (number.empty() || (number.back() == '\n' && is_digits(number.substr(0, number.size() - 1))));
}

bool is_same_file(int file, const Place& place) {
  struct stat open {
  }, named{};
  return fstat(file, &open) == 0 && fstatat(place.at(), place.name().c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

}  // namespace

std::string kept_name(int64_t age) {
  if (age == 0) return "last.ckpt";
  return age == 1 ? "prev.ckpt" : concat("prev", age, ".ckpt");
}

std::string kept_path(const std::string& folder, int64_t age) { return join_path(folder, kept_name(age)); }

bool is_state_name(const std::string& name) {
  if (name == kept_name(0) || name == kept_name(1) || name == "best.ckpt") return true;
  return name.size() > 9 && name.starts_with("prev") && name.ends_with(".ckpt") && is_digits(name.substr(4, name.size() - 9));
}

bool holds_run(const OpenFolder& folder) { return file_exists(folder / kept_name(0)) || file_exists(folder / kept_name(1)); }

void refuse_used_folder(const OpenFolder& folder) {
  HV_CHECK_USAGE(!holds_run(folder), folder.path(), ": holds a run already; continue it with --resume ", folder.path(),
                 " or choose another --out");
  remove_stale_files(folder);
  // A new run that was killed at once leaves its lock alone.
  for (const std::string& name : folder.names()) {
    HV_CHECK_USAGE(name == kLock && is_lock(folder / name), folder.path(), ": holds something else than a run (",
                   printable(name), "); choose a new or an empty folder with --out");
  }
}

void check_run_files(const OpenFolder& folder) {
  static const char* const kNames[] = {"summary.csv", "events.jsonl", "predictions.csv", "config.json", "report.html"};
  for (const std::string& name : folder.names()) {
    const bool known = std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
    if (!known && !is_state_name(name) && !name.starts_with("events.out.tfevents.")) continue;
    const What what = what_is(folder / name);
    HV_CHECK_INPUT(what == What::file || what == What::nothing, join_path(folder.path(), name), ": is ", what_name(what),
                   ", expected a file; move it away");
  }
}

OpenFolder make_run_folder(const std::string& wanted, const std::string& preset) {
  std::string path = wanted;
  if (path.empty()) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    const std::string base = join_path("runs", concat(preset, "-", stamp));
    make_folders("runs");
    path = base;
    int number = 1;  // two runs that begin in the same second get two folders
    while (!make_folder(path)) path = concat(base, "-", ++number);
  } else {
    make_folders(path);
  }
  const OpenFolder folder(path);
  refuse_used_folder(folder);
  AtomicFile probe(folder / kept_name(0));  // created and removed: can we write here?
  return folder;
}

FolderLock::FolderLock(const OpenFolder& folder, const std::function<void(const std::string&)>& warn)
    : folder_(folder), warn_(warn) {
  take();
}

void FolderLock::take() {
  const Place place = folder_ / kLock;
  const std::string path = place.text();
  int result = 0;
  do {  // once more if another process has removed the file or put another in its place
    if (file_ >= 0) close(std::exchange(file_, -1));
    HV_CHECK_INPUT(is_lock(place), path, ": is not the lock of a run, but ",
                   what_is(place) == What::file ? "someone's file" : what_name(what_is(place)), "; move it away");
    file_ = place.open(O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0600);
    if (file_ < 0) write_failed(path, "open", errno);
    result = flock(file_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  } while (result == 0 && !is_same_file(file_, place));
  if (result == 0) {
    fchmod(file_, 0600);  // whoever can open a file can lock it
    const std::string text = concat(getpid(), "\n");
    // The number is for the error message of other processes. The lock holds even if the number cannot be written.
    [[maybe_unused]] const bool told = ftruncate(file_, 0) == 0 && pwrite(file_, text.data(), text.size(), 0) > 0;
  } else if (result == EWOULDBLOCK) {
    char text[32] = {};
    [[maybe_unused]] const ssize_t read = pread(file_, text, sizeof text - 1, 0);
    close(std::exchange(file_, -1));
    fail(Fault::usage, folder_.path(), ": another training is going on in this folder, process ",
         std::strtol(text, nullptr, 10), "; wait for it, stop it, or choose another --out");
  } else {
    warn_(
        concat("NOTICE: ", path, ": cannot lock: ", std::strerror(result), "; see to it that no second run uses this folder"));
  }
}

FolderLock::~FolderLock() {
  if (file_ >= 0) close(file_);
}

void FolderLock::hold() {
  if (file_ < 0 || !is_same_file(file_, folder_ / kLock)) take();
}

Place checkpoint_place(const std::string& run_or_file) {
  return is_folder(run_or_file) ? OpenFolder(run_or_file) / kept_name(0) : Place(run_or_file);
}

Checkpoint load_run(const std::string& run_or_file, const std::function<void(const std::string&)>& warn,
                    const std::function<bool(const std::string&)>& wanted) {
  return is_folder(run_or_file) ? load_run(OpenFolder(run_or_file), warn, wanted) : load_checkpoint(run_or_file, wanted);
}

Checkpoint load_run(const OpenFolder& folder, const std::function<void(const std::string&)>& warn,
                    const std::function<bool(const std::string&)>& wanted) {
  for (int64_t age = 0;; ++age) {
    const Place before = folder / kept_name(age + 1);
    try {
      return load_checkpoint(folder / kept_name(age), wanted);
    } catch (const Error& error) {
      if (error.fault() != Fault::input || !file_exists(before)) throw;
      warn(concat("WARNING: ", error.what(), "; using the one before it, ", before.text()));
    }
  }
}

void save_run(const OpenFolder& folder, const Header& header, const std::vector<NamedTensor>& tensors, int64_t keep_last) {
  std::vector<Place> keep;
  for (int64_t age = 1; age < keep_last; ++age) keep.push_back(folder / kept_name(age));
  save_checkpoint(folder / kept_name(0), header, tensors, keep);
  int64_t age = keep_last;  // an earlier session may have kept more
  while (remove_file(folder / kept_name(age))) ++age;
}

void go_on_from(const OpenFolder& folder, const std::string& checkpoint) {
  const Place last = folder / kept_name(0);
  int64_t end = 0;
  while ((folder / kept_name(end)).text() != checkpoint && file_exists(folder / kept_name(end + 1))) ++end;
  if (end == 0) return;
  if (file_exists(last)) keep_as(last, last.with(".damaged"));
  rename_file(folder / kept_name(end), last);  // first, so that load_run() finds a good state without a gap at every moment
  for (int64_t age = 1; age < end; ++age) rename_file(folder / kept_name(age), (folder / kept_name(age)).with(".damaged"));
}

}  // namespace hv::train
