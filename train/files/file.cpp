#include "train/files/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "core/check.h"

namespace hv::train {
namespace {

constexpr const char* kTemporary = ".hydravit.tmp.";  // <name>.hydravit.tmp.<16 hexadecimal digits>
constexpr size_t kDigits = 16;

std::string some_digits() {
  std::random_device random;
  std::string text;
  for (size_t i = 0; i < kDigits; ++i) text += "0123456789abcdef"[random() % 16];
  return text;
}

// A name for a temporary file. The digits are chosen once per process; `again`: once more, because the name was taken.
std::string temporary_ending(bool again = false) {
  static std::string digits = some_digits();
  if (again) digits = some_digits();
  return kTemporary + digits;
}

// The name of the file that a temporary file is for; "" if it is none of ours.
std::string name_of_temporary(const std::string& name) {
  const size_t at = name.rfind(kTemporary), digits = at + std::strlen(kTemporary);
  if (at == std::string::npos || at == 0 || name.size() != digits + kDigits) return "";
  return name.find_first_not_of("0123456789abcdef", digits) == std::string::npos ? name.substr(0, at) : "";
}

int unlink_place(const Place& place) { return unlinkat(place.at(), place.name().c_str(), 0); }

int rename_place(const Place& from, const Place& to) {
  return renameat(from.at(), from.name().c_str(), to.at(), to.name().c_str());
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

AtomicFile::AtomicFile(const Place& place) : place_(place), temporary_(place.with(temporary_ending())) {
  struct stat old {};
  if (fstatat(place.at(), place.name().c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode))
    mode_ = static_cast<int>(old.st_mode & 0777);
  const auto create = [&] { return temporary_.open(O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode_ < 0 ? 0666 : 0600); };
  file_ = create();
  while (file_ < 0 && errno == EEXIST) {
    temporary_ = place.with(temporary_ending(true));
    file_ = create();
  }
  if (file_ < 0) write_failed(place_.text(), "create", errno);
  flock(file_, LOCK_EX | LOCK_NB);  // it says that we live (remove_stale_files); a file system may have no locks
  // A run cleans its folder when it starts. Elsewhere it is done here.
  if (place.held()) return;
  try {
    remove_stale_files(parent_of(place.name()), std::filesystem::path(place.name()).filename().string());
  } catch (const Error&) {  // a folder whose names may not be read
  }
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) close(file_);
  if (!temporary_.name().empty()) unlink_place(temporary_);
}

void AtomicFile::write(const void* data, size_t bytes) {
  write_all(file_, place_.text(), static_cast<const char*>(data), bytes);
}

void AtomicFile::write_over(int64_t position, const void* data, size_t bytes) {
  if (lseek(file_, position, SEEK_SET) < 0) write_failed(place_.text(), "seek in", errno);
  write(data, bytes);
}

void AtomicFile::commit(const std::vector<Place>& keep) {
  if (mode_ >= 0) fchmod(file_, static_cast<mode_t>(mode_));  // a file system without modes may refuse it
  if (uninterrupted([&] { return fsync(file_); }) != 0) write_failed(place_.text(), "flush", errno);
  const int closed = close(file_);
  file_ = -1;
  if (closed != 0 && errno != EINTR) write_failed(place_.text(), "close", errno);
  for (size_t i = keep.size(); i-- > 0;) {  // the oldest first
    const Place& from = i == 0 ? place_ : keep[i - 1];
    if (file_exists(from)) keep_as(from, keep[i]);
  }
  rename_file(temporary_, place_);
  temporary_ = "";
}

void write_file(const Place& place, const std::string& text) {
  AtomicFile file(place);
  file.write(text.data(), text.size());
  file.commit();
}

AppendFile::AppendFile(const Place& place) : path_(place.text()) {
  file_ = place.open(O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK);
  if (file_ < 0) write_failed(path_, "open", errno);
  struct stat info {};
  if (fstat(file_, &info) == 0 && S_ISREG(info.st_mode)) return;
  close(file_);
  fail(Fault::input, path_, ": not a regular file; move it away");
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

InputFile::InputFile(const Place& place) : path_(place.text()) {
  file_ = place.open(O_RDONLY | O_NONBLOCK | O_NOCTTY);  // a pipe without a writer must not block
  HV_CHECK_INPUT(file_ >= 0 || errno != ELOOP || !place.held(), path_, ": is a link; expected the file itself");
  HV_CHECK_INPUT(file_ >= 0, path_, ": cannot open: ", std::strerror(errno), "; check the path");
  struct stat info {};
  const bool regular = fstat(file_, &info) == 0 && S_ISREG(info.st_mode);
  if (!regular) {
    close(file_);
    fail(Fault::input, path_, ": not a regular file; check the path");
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

std::string read_file(const Place& place, int64_t most) {
  HV_CHECK_INPUT(file_exists(place), place.text(), ": is not there");
  InputFile file(place);
  HV_CHECK_INPUT(file.size() <= most, place.text(), ": has ", file.size(), " bytes, more than the ", most, " that are read");
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(text.data(), text.size());
  return text;
}

int64_t each_line(InputFile& file, size_t most, const std::function<void(const std::string&, bool)>& body) {
  int64_t skipped = 0;
  std::string line;
  bool too_long = false;
  const auto end = [&](bool whole) {
    if (line.ends_with('\r')) line.pop_back();
    if (too_long) {
      ++skipped;
      line.clear();
    }
    if (whole || too_long || !line.empty()) body(line, whole);
    line.clear();
    too_long = false;
  };
  std::vector<char> piece(static_cast<size_t>(std::min<int64_t>(file.size(), int64_t{1} << 16)));
  while (file.position() < file.size()) {
    const size_t bytes = static_cast<size_t>(std::min<int64_t>(std::ssize(piece), file.size() - file.position()));
    file.read(piece.data(), bytes);
    for (size_t at = 0; at < bytes;) {
      const auto begin = piece.begin() + static_cast<ptrdiff_t>(at), last = piece.begin() + static_cast<ptrdiff_t>(bytes);
      const auto found = std::find(begin, last, '\n');
      if (!too_long) line.append(begin, found);
      too_long = too_long || line.size() > most;
      if (found != last) end(true);
      at += static_cast<size_t>(found - begin) + 1;
    }
  }
  end(false);
  return skipped;
}

bool remove_file(const Place& place) { return unlink_place(place) == 0; }

void rename_file(const Place& place, const Place& to) {
  if (rename_place(place, to) != 0) write_failed(to.text(), "rename to", errno);
  flush_folder_of(to);
}

void keep_as(const Place& place, const Place& second) {
  const Place temporary = second.with(temporary_ending());
  unlink_place(temporary);  // of an attempt that failed
  if (linkat(place.at(), place.name().c_str(), temporary.at(), temporary.name().c_str(), 0) == 0) {
    const int error = rename_place(temporary, second) == 0 ? 0 : errno;
    unlink_place(temporary);  // renaming between two names of one file leaves both
    if (error != 0) write_failed(second.text(), "rename to", error);
  } else {
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) write_failed(second.text(), "link", errno);
    if (rename_place(place, second) != 0) write_failed(second.text(), "rename to", errno);
  }
}

void remove_stale_files(const OpenFolder& folder, const std::string& of) {
  for (const std::string& name : folder.names()) {
    const std::string target = name_of_temporary(name);
    if (target.empty() || (!of.empty() && target != of)) continue;
    const Place place = folder / name;
    const int file = place.open(O_RDWR | O_NONBLOCK);
    if (file < 0) continue;
    struct stat info {};
    const bool gone = fstat(file, &info) == 0 && S_ISREG(info.st_mode) && flock(file, LOCK_EX | LOCK_NB) == 0;
    if (gone) unlink_place(place);
    close(file);
  }
}

}  // namespace hv::train
