#include "train/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "core/check.h"

namespace hv::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".tmp.";  // <name>.tmp.<process>

[[noreturn]] void write_failed(const std::string& path, const char* what, int error) {
  const char* advice = error == ENOSPC || error == EDQUOT || error == EFBIG ? "; free some space, what was there before is untouched"
                       : error == EACCES || error == EROFS || error == EPERM
                           ? "; choose a folder you may write to with --out"
                           : "";
  fail(Fault::failure, path, ": cannot ", what, ": ", std::strerror(error), advice);
}

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

void flush_folder(const std::string& folder) {
  const int file = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) write_failed(folder, "open folder", errno);
  const int error = fsync(file) == 0 ? 0 : errno;
  close(file);
  // Some file systems cannot flush a folder and say EINVAL: nothing more can be done there.
  if (error != 0 && error != EINVAL) write_failed(folder, "flush folder", error);
}

void write_all(int file, const std::string& path, const char* at, size_t bytes) {
  while (bytes > 0) {
    const ssize_t done = write(file, at, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) write_failed(path, "write", errno);
    if (done == 0) write_failed(path, "write", ENOSPC);
    at += done;
    bytes -= static_cast<size_t>(done);
  }
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(concat(path, kTemporary, getpid())) {
  file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file_ < 0 && errno == EEXIST) {  // left by a dead process that had our number
    unlink(temporary_.c_str());
    file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  if (file_ < 0) write_failed(path_, "create", errno);
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) close(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) { write_all(file_, path_, static_cast<const char*>(data), bytes); }

void AtomicFile::commit(const std::string& keep_as) {
  while (fsync(file_) != 0) {
    if (errno != EINTR) write_failed(path_, "flush", errno);
  }
  const int closed = close(file_);
  file_ = -1;
  if (closed != 0 && errno != EINTR) write_failed(path_, "close", errno);
  if (!keep_as.empty() && file_exists(path_)) {
    // A second name for the old file, so that at no moment is there no file under path_.
    const std::string second = concat(keep_as, kTemporary, getpid());
    unlink(second.c_str());
    if (link(path_.c_str(), second.c_str()) == 0) {
      if (rename(second.c_str(), keep_as.c_str()) != 0) {
        const int error = errno;
        unlink(second.c_str());
        write_failed(keep_as, "rename to", error);
      }
      unlink(second.c_str());  // renaming between two names of one file leaves both
    } else if (rename(path_.c_str(), keep_as.c_str()) != 0) {  // a file system without links
      write_failed(keep_as, "rename to", errno);
    }
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0) write_failed(path_, "rename to", errno);
  temporary_.clear();
  flush_folder(parent_of(path_));
}

void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

AppendFile::AppendFile(const std::string& path) : path_(path) {
  file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) write_failed(path, "open", errno);
}

AppendFile::~AppendFile() { close(file_); }

void AppendFile::append(const std::string& bytes) { write_all(file_, path_, bytes.data(), bytes.size()); }

InputFile::InputFile(const std::string& path) : path_(path) {
  file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // never wait for a pipe's other end
  HV_CHECK_INPUT(file_ >= 0, path, ": cannot open: ", std::strerror(errno), "; check the path");
  struct stat info {};
  const bool regular = fstat(file_, &info) == 0 && S_ISREG(info.st_mode);
  if (!regular) {
    close(file_);
    fail(Fault::input, path, ": not a regular file; check the path");
  }
  size_ = info.st_size;
}

InputFile::~InputFile() { close(file_); }

void InputFile::read(void* data, size_t bytes) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t done = ::read(file_, at, std::min<size_t>(bytes, size_t{1} << 30));
    if (done < 0 && errno == EINTR) continue;
    HV_CHECK_INPUT(done >= 0, path_, ": cannot read at byte ", position_, ": ", std::strerror(errno));
    HV_CHECK_INPUT(done > 0, path_, ": ends at byte ", position_, ", ", bytes, " more expected; the file was cut");
    at += done;
    bytes -= static_cast<size_t>(done);
    position_ += done;
  }
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool file_exists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

std::string join_path(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).string(); }

std::string make_run_folder(const std::string& wanted, const std::string& preset) {
  std::string folder = wanted;
  std::error_code error;
  if (folder.empty()) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    const std::string base = join_path("runs", concat(preset, "-", stamp));
    fs::create_directories("runs", error);
    if (error) write_failed("runs", "make folder", error.value());
    // create_directory is false where the folder exists: two runs started in one second get two folders.
    folder = base;
    for (int number = 2; !fs::create_directory(folder, error); ++number) {
      if (error) write_failed(folder, "make folder", error.value());
      folder = concat(base, "-", number);
    }
  } else {
    HV_CHECK_USAGE(!file_exists(join_path(folder, "last.ckpt")), folder, ": holds a run already; continue it with --resume ",
                   folder, " or choose another --out");
    fs::create_directories(folder, error);
    if (error) write_failed(folder, "make folder", error.value());
    if (!is_folder(folder)) write_failed(folder, "make folder", ENOTDIR);
  }
  AtomicFile probe(join_path(folder, "last.ckpt"));  // created and removed: can we write here?
  return folder;
}

void remove_stale_files(const std::string& folder) {
  DIR* entries = opendir(folder.c_str());
  if (!entries) return;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    const size_t at = name.rfind(kTemporary);
    if (at == std::string::npos) continue;
    const long process = std::strtol(name.c_str() + at + std::strlen(kTemporary), nullptr, 10);
    if (process > 0 && (kill(static_cast<pid_t>(process), 0) == 0 || errno == EPERM)) continue;  // still running
    unlink(join_path(folder, name).c_str());
  }
  closedir(entries);
}

}  // namespace hv::train
