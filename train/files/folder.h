// Where a file is: a name in a folder that is held open, or a path.
//
// Invariants
//   1. A held folder is found by its path once. From then on its files are named relative to its descriptor. So they stay in
//      that folder, even if the folder is renamed meanwhile and another folder takes its path.
//   2. A name in a held folder is never followed if it is a link. So no link in it leads to a file outside.
//   3. A path that a user typed is followed as usual.
// Thread rule: plain data; copies share the descriptor.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

namespace hv::train {

class OpenFolder {
 public:
  OpenFolder() = default;  // none
  // "" is none. A folder that cannot be opened is an error (Fault::input).
  OpenFolder(const std::string& path);
  OpenFolder(const char* path) : OpenFolder(std::string(path)) {}
  // The folder of that name in this one; made if nothing has that name. Anything but a folder, a link too: Fault::failure.
  OpenFolder made(const std::string& name) const;

  explicit operator bool() const { return held_ != nullptr; }
  int file() const { return held_ ? held_->file : -1; }
  const std::string& path() const { return path_; }  // by which it was opened, for messages
  // Is it still what its path leads to? If not, it was renamed or removed.
  bool still_there() const;
  std::string path_now() const;            // as the kernel knows it; "" if it was removed
  std::vector<std::string> names() const;  // of all in it, sorted

 private:
  struct Held {
    explicit Held(int number) : file(number) {}
    ~Held();
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    int file;
  };
  std::string path_;
  std::shared_ptr<const Held> held_;
};

class Place {
 public:
  Place(const std::string& path) : name_(path) {}
  Place(const char* path) : name_(path) {}
  Place(const OpenFolder& folder, const std::string& name) : folder_(folder), name_(name) {}

  bool held() const { return static_cast<bool>(folder_); }
  const OpenFolder& folder() const { return folder_; }
  const std::string& name() const { return name_; }  // a path if no folder is held
  std::string text() const;                          // for messages
  Place with(const std::string& ending) const;       // the same name with this at its end
  int at() const;                                    // what openat(2) and its like take
  int open(int flags, unsigned mode = 0666) const;   // as openat(2), repeated while a signal interrupts it

 private:
  OpenFolder folder_;
  std::string name_;
};

inline Place operator/(const OpenFolder& folder, const std::string& name) { return {folder, name}; }

enum class What { nothing, file, folder, link, other };  // other: a pipe, a device, a socket
What what_is(const Place& place);                        // a link counts as a link if it would not be followed
const char* what_name(What what);                        // "a folder", ...

bool is_folder(const std::string& path);
bool file_exists(const Place& place);
std::string join_path(const std::string& folder, const std::string& name);
std::string parent_of(const std::string& path);  // "." if the path is a name alone
// Makes a folder and flushes its parent to the disk. False if something has that name already.
bool make_folder(const Place& folder);
void make_folders(const std::string& folder);  // with its parents, if there are none yet
void flush_folder_of(const Place& place);      // so that the names in it survive a loss of power
// The error of every failed write: "<path>: cannot <what>: <reason>", and what to do where that is known.
[[noreturn]] void write_failed(const std::string& path, const char* what, int error);

// The result of a system call, which is repeated while a signal interrupts it.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace hv::train
