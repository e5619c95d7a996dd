#include "train/files/folder.h"

#include <dirent.h>
#include <fcntl.h>
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

void flush(int folder, const std::string& path) {
  const int error = uninterrupted([&] { return fsync(folder); }) == 0 ? 0 : errno;
  // Some file systems cannot flush a folder and return EINVAL; nothing more can be done then.
  if (error != 0 && error != EINVAL) write_failed(path, "flush folder", error);
}

}  // namespace

void write_failed(const std::string& path, const char* what, int error) {
  const char* advice = "";
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) advice = "; free some space, what was there before is untouched";
  if (error == EACCES || error == EROFS || error == EPERM) advice = "; choose a folder you may write to with --out";
  fail(Fault::failure, path, ": cannot ", what, ": ", std::strerror(error), advice);
}

OpenFolder::Held::~Held() { close(file); }

OpenFolder::OpenFolder(const std::string& path) : path_(path) {
  if (path.empty()) return;
  const int file = Place(path).open(O_RDONLY | O_DIRECTORY);
  HV_CHECK_INPUT(file >= 0, path, ": cannot open folder: ", std::strerror(errno), "; check the path");
  held_ = std::make_shared<Held>(file);
}

OpenFolder OpenFolder::made(const std::string& name) const {
  const Place place(*this, name);
  make_folder(place);
  OpenFolder folder;
  folder.path_ = place.text();
  const int file = place.open(O_RDONLY | O_DIRECTORY);
  HV_CHECK(file >= 0, folder.path_, ": cannot make folder: ", what_name(what_is(place)), " is in the way; move it away");
  folder.held_ = std::make_shared<Held>(file);
  return folder;
}

bool OpenFolder::still_there() const {
  struct stat named {
  }, open{};
  return stat(path_.c_str(), &named) == 0 && fstat(file(), &open) == 0 && named.st_dev == open.st_dev &&
         named.st_ino == open.st_ino;
}

std::string OpenFolder::path_now() const {
  struct stat open {};
  std::error_code error;
  const fs::path path = fs::read_symlink(concat("/proc/self/fd/", file()), error);
  if (fstat(file(), &open) == 0 && open.st_nlink == 0) return "";
  return error ? "elsewhere" : path.string();
}

std::vector<std::string> OpenFolder::names() const {
  std::vector<std::string> all;
  const int again = openat(file(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = again < 0 ? nullptr : fdopendir(again);
  if (!entries) {
    if (again >= 0) close(again);
    return all;
  }
  while (const dirent* entry = readdir(entries)) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) all.emplace_back(entry->d_name);
  }
  closedir(entries);
  std::sort(all.begin(), all.end());
  return all;
}

std::string Place::text() const { return held() ? join_path(folder_.path(), name_) : name_; }

Place Place::with(const std::string& ending) const { return held() ? Place(folder_, name_ + ending) : Place(name_ + ending); }

int Place::at() const { return held() ? folder_.file() : AT_FDCWD; }

int Place::open(int flags, unsigned mode) const {
  const int all = flags | O_CLOEXEC | (held() ? O_NOFOLLOW : 0);
  return uninterrupted([&] { return openat(at(), name_.c_str(), all, mode); });
}

What what_is(const Place& place) {
  struct stat info {};
  if (fstatat(place.at(), place.name().c_str(), &info, place.held() ? AT_SYMLINK_NOFOLLOW : 0) != 0) return What::nothing;
  if (S_ISREG(info.st_mode)) return What::file;
  if (S_ISDIR(info.st_mode)) return What::folder;
  return S_ISLNK(info.st_mode) ? What::link : What::other;
}

const char* what_name(What what) {
  constexpr const char* kNames[] = {"nothing", "a file", "a folder", "a link", "a pipe, a device or a socket"};
  return kNames[static_cast<size_t>(what)];
}

bool is_folder(const std::string& path) { return what_is(path) == What::folder; }
bool file_exists(const Place& place) { return what_is(place) != What::nothing; }

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string join_path(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).string(); }

void flush_folder_of(const Place& place) {
  if (place.held()) return flush(place.folder().file(), place.folder().path());
  const std::string parent = parent_of(place.name());
  const int file = Place(parent).open(O_RDONLY | O_DIRECTORY);
  if (file < 0) write_failed(parent, "open folder", errno);
  const struct Closed {
    int file;
    ~Closed() { close(file); }
  } closed{file};
  flush(file, parent);
}

bool make_folder(const Place& folder) {
  if (mkdirat(folder.at(), folder.name().c_str(), 0777) != 0) {
    if (errno == EEXIST) return false;
    write_failed(folder.text(), "make folder", errno);
  }
  flush_folder_of(folder);
  return true;
}

void make_folders(const std::string& folder) {
  if (is_folder(folder)) return;
  if (!file_exists(parent_of(folder))) make_folders(parent_of(folder));
  if (!make_folder(folder) && !is_folder(folder)) write_failed(folder, "make folder", ENOTDIR);
}

}  // namespace hv::train
