#include "train/io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/check.h"

namespace hv::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".tmp.";  // <name>.tmp.<process>

// The result of a system call, which is repeated while a signal interrupts it.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int open_file(const std::string& path, int flags) {
  return uninterrupted([&] { return open(path.c_str(), flags | O_CLOEXEC, 0666); });
}

void flush_folder(const std::string& folder) {
  const int file = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (file < 0) write_failed(folder, "open folder", errno);
  const int error = uninterrupted([&] { return fsync(file); }) == 0 ? 0 : errno;
  close(file);
  // Some file systems cannot flush a folder and return EINVAL; nothing more can be done then.
  if (error != 0 && error != EINVAL) write_failed(folder, "flush folder", error);
}

void write_all(int file, const std::string& path, const char* at, size_t bytes) {
  while (bytes > 0) {
    const ssize_t done = uninterrupted([&] { return write(file, at, bytes); });
    if (done < 0) write_failed(path, "write", errno);
    if (done == 0) write_failed(path, "write", ENOSPC);
    at += done;
    bytes -= static_cast<size_t>(done);
  }
}

}  // namespace

void write_failed(const std::string& path, const char* what, int error) {
  const char* advice = "";
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) advice = "; free some space, what was there before is untouched";
  if (error == EACCES || error == EROFS || error == EPERM) advice = "; choose a folder you may write to with --out";
  fail(Fault::failure, path, ": cannot ", what, ": ", std::strerror(error), advice);
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(concat(path, kTemporary, getpid())) {
  file_ = open_file(temporary_, O_WRONLY | O_CREAT | O_EXCL);
  if (file_ < 0 && errno == EEXIST) {  // left by an earlier process of the same number
    unlink(temporary_.c_str());
    file_ = open_file(temporary_, O_WRONLY | O_CREAT | O_EXCL);
  }
  if (file_ < 0) write_failed(path_, "create", errno);
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) close(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) { write_all(file_, path_, static_cast<const char*>(data), bytes); }

void AtomicFile::write_over(int64_t position, const void* data, size_t bytes) {
  if (lseek(file_, position, SEEK_SET) < 0) write_failed(path_, "seek in", errno);
  write(data, bytes);
}

void AtomicFile::commit(const std::vector<std::string>& keep) {
  if (uninterrupted([&] { return fsync(file_); }) != 0) write_failed(path_, "flush", errno);
  const int closed = close(file_);
  file_ = -1;
  if (closed != 0 && errno != EINTR) write_failed(path_, "close", errno);
  for (size_t i = keep.size(); i-- > 0;) {  // the oldest first
    const std::string& from = i == 0 ? path_ : keep[i - 1];
    if (file_exists(from)) keep_as(from, keep[i]);
  }
  rename_file(temporary_, path_);
  temporary_.clear();
}

void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

AppendFile::AppendFile(const std::string& path) : path_(path) {
  file_ = open_file(path, O_WRONLY | O_CREAT | O_APPEND);
  if (file_ < 0) write_failed(path, "open", errno);
}

AppendFile::~AppendFile() { close(file_); }

void AppendFile::append(const std::string& bytes) {
  const off_t end = lseek(file_, 0, SEEK_END);
  try {
    write_all(file_, path_, bytes.data(), bytes.size());
  } catch (const Error&) {  // half a line would make the next line unreadable, too
    [[maybe_unused]] const int cut = ftruncate(file_, end);
    throw;
  }
}

InputFile::InputFile(const std::string& path) : path_(path) {
  file_ = open_file(path, O_RDONLY | O_NONBLOCK);  // a pipe without a writer must not block
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
    const ssize_t done = uninterrupted([&] { return ::read(file_, at, std::min<size_t>(bytes, size_t{1} << 30)); });
    HV_CHECK_INPUT(done >= 0, path_, ": cannot read at byte ", position_, ": ", std::strerror(errno));
    HV_CHECK_INPUT(done > 0, path_, ": ends at byte ", position_, ", ", bytes, " more expected; the file was cut");
    at += done;
    bytes -= static_cast<size_t>(done);
    position_ += done;
  }
}

std::string read_file(const std::string& path, int64_t most) {
  HV_CHECK_INPUT(file_exists(path), path, ": is not there");
  InputFile file(path);
  HV_CHECK_INPUT(file.size() <= most, path, ": has ", file.size(), " bytes, more than the ", most, " that are read");
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(text.data(), text.size());
  return text;
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool file_exists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string join_path(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).string(); }

bool make_folder(const std::string& folder) {
  if (mkdir(folder.c_str(), 0777) != 0) {
    if (errno == EEXIST) return false;
    write_failed(folder, "make folder", errno);
  }
  flush_folder(parent_of(folder));
  return true;
}

void make_folders(const std::string& folder) {
  if (is_folder(folder)) return;
  if (!file_exists(parent_of(folder))) make_folders(parent_of(folder));
  if (!make_folder(folder) && !is_folder(folder)) write_failed(folder, "make folder", ENOTDIR);
}

bool remove_file(const std::string& path) { return unlink(path.c_str()) == 0; }

void rename_file(const std::string& path, const std::string& to) {
  if (rename(path.c_str(), to.c_str()) != 0) write_failed(to, "rename to", errno);
  flush_folder(parent_of(to));
}

void keep_as(const std::string& path, const std::string& second) {
  const std::string temporary = concat(second, kTemporary, getpid());
  unlink(temporary.c_str());
  if (link(path.c_str(), temporary.c_str()) == 0) {
    const int error = rename(temporary.c_str(), second.c_str()) == 0 ? 0 : errno;
    unlink(temporary.c_str());  // renaming between two names of one file leaves both
    if (error != 0) write_failed(second, "rename to", error);
  } else {
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) write_failed(second, "link", errno);
    if (rename(path.c_str(), second.c_str()) != 0) write_failed(second, "rename to", errno);
  }
}

void remove_stale_files(const std::string& folder) {
  DIR* entries = opendir(folder.c_str());
  if (!entries) return;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    const size_t at = name.rfind(kTemporary);
    if (at == std::string::npos) continue;
    const long process = std::strtol(name.c_str() + at + std::strlen(kTemporary), nullptr, 10);
    const bool running = process > 0 && (kill(static_cast<pid_t>(process), 0) == 0 || errno == EPERM);
    if (running && process != getpid()) continue;  // our own number belonged to an earlier process: we have written nothing yet
    unlink(join_path(folder, name).c_str());
  }
  closedir(entries);
}

}  // namespace hv::train
