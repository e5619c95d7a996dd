#include "tests/faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <map>
#include <mutex>

namespace hv::faults {
namespace {

struct State {
  std::recursive_mutex mutex;
  std::atomic<bool> armed = false;
  Plan plan;
  int64_t calls = 0;
  std::string met;
  std::vector<Call>* record = nullptr;
  std::map<int, std::string> files;  // open ones under the folder
};

State& state() {
  static State* const all = new State;  // files are closed after main(), too
  return *all;
}

bool watched(const std::string& path) {
  const State& s = state();
  return s.armed && (path == s.plan.folder || path.rfind(s.plan.folder + "/", 0) == 0);
}

std::string link_of(int file) {  // where an open file is, as the kernel knows it
  char text[4096];
  const ssize_t bytes = readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), text, sizeof text);
  return bytes > 0 ? std::string(text, static_cast<size_t>(bytes)) : "";
}

std::string path_of(int file) {
  const State& s = state();
  const auto found = s.files.find(file);
  if (found != s.files.end()) return found->second;
  struct stat info {};  // a folder may have been opened before a plan was armed
  if (!s.armed || fstat(file, &info) != 0 || !S_ISDIR(info.st_mode)) return "";
  const std::string path = link_of(file);
  return watched(path) ? path : "";
}

// The path that a call on a name in an open folder means.
std::string path_at(int folder, const char* name) {
  return folder == AT_FDCWD || *name == '/' ? name : link_of(folder) + "/" + name;
}

// Counts a call. Returns whether it must fail by plan; kills the process if that is the plan.
bool meets(const char* name) {
  State& s = state();
  ++s.calls;
  if (s.plan.kind == Kind::none || s.calls < s.plan.first || s.calls > s.plan.last) return false;
  if (s.plan.kind == Kind::kill) {
    kill(getpid(), s.plan.signal);
    if (s.plan.signal == SIGKILL) pause();
    return false;
  }
  if (s.plan.kind == Kind::shorten && std::string(name) != "write" && std::string(name) != "read") return false;
  if (s.met.empty()) s.met = name;
  return true;
}

bool fails(const char* name) {
  if (!meets(name) || state().plan.kind != Kind::fail) return false;
  errno = state().plan.error;
  return true;
}

void note(Call call) {
  if (state().record) state().record->push_back(std::move(call));
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// A call on one or two paths.
template <class Real>
int on_path(const char* name, const std::string& path, const std::string& to, Real&& real) {
  const std::lock_guard lock(state().mutex);
  const bool seen = watched(path);
  if (seen && fails(name)) return -1;
  const int result = real();
  if (seen && result == 0) note({name, path, to, "", 0});
  return result;
}

// `real` opens the file of this path.
template <class Real>
int opened(const std::string& path, Real&& real) {
  const std::lock_guard lock(state().mutex);
  const bool seen = watched(path);
  if (seen && fails("open")) return -1;
  struct stat before {};
  const bool made = seen && lstat(path.c_str(), &before) != 0;
  const int file = real();
  if (seen && file >= 0) {
    state().files[file] = path;
    if (made) note({"open", path, "", "", 0});
  }
  return file;
}

const bool from_environment = [] {  // "<n>:<folder>"
  const char* text = std::getenv("HYDRAVIT_FAULT");
  if (!text) return false;
  char* end = nullptr;
  const long n = std::strtol(text, &end, 10);
  const char* signal = std::getenv("HYDRAVIT_FAULT_SIGNAL");
  if (*end == ':')
    arm({.folder = end + 1, .kind = Kind::kill, .first = n, .last = n, .signal = signal ? std::atoi(signal) : SIGKILL});
  return true;
}();

}  // namespace

void arm(const Plan& plan) {
  const std::lock_guard lock(state().mutex);
  state().plan = plan;
  state().armed = true;
  state().calls = 0;
  state().met.clear();
}

void disarm() {
  const std::lock_guard lock(state().mutex);
  state().armed = false;
}

int64_t calls() { return state().calls; }
const std::string& met() { return state().met; }
void record(std::vector<Call>* calls) { state().record = calls; }
void mark(const std::string& name) { note({name, "", "", "", 0}); }

}  // namespace hv::faults

using namespace hv::faults;

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & (O_CREAT | O_TMPFILE)) {
    va_list list;
    va_start(list, flags);
    mode = va_arg(list, mode_t);
    va_end(list);
  }
  static const auto real = next<int(const char*, int, ...)>("open");
  if (!state().armed) return real(path, flags, mode);
  return opened(path, [&] { return real(path, flags, mode); });
}

int openat(int folder, const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & (O_CREAT | O_TMPFILE)) {
    va_list list;
    va_start(list, flags);
    mode = va_arg(list, mode_t);
    va_end(list);
  }
  static const auto real = next<int(int, const char*, int, ...)>("openat");
  if (!state().armed) return real(folder, path, flags, mode);
  return opened(path_at(folder, path), [&] { return real(folder, path, flags, mode); });
}

int close(int file) {
  static const auto real = next<int(int)>("close");
  if (!state().armed) return real(file);
  const std::lock_guard lock(state().mutex);
  const std::string path = path_of(file);
  state().files.erase(file);
  const bool failed = !path.empty() && fails("close");
  const int result = real(file);  // Linux closes the file whatever it returns
  if (failed) errno = state().plan.error;
  return failed ? -1 : result;
}

ssize_t write(int file, const void* data, size_t bytes) {
  static const auto real = next<ssize_t(int, const void*, size_t)>("write");
  if (!state().armed) return real(file, data, bytes);
  const std::lock_guard lock(state().mutex);
  const std::string path = path_of(file);
  if (path.empty()) return real(file, data, bytes);
  const bool meets_plan = meets("write");
  if (meets_plan && state().plan.kind == Kind::fail) {
    errno = state().plan.error;
    return -1;
  }
  const off_t at = lseek(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
  const ssize_t done = real(file, data, meets_plan ? (bytes + 1) / 2 : bytes);
  if (done > 0 && state().record) {
    note({"write", path, "", std::string(static_cast<const char*>(data), static_cast<size_t>(done)), at});
  }
  return done;
}

ssize_t read(int file, void* data, size_t bytes) {
  static const auto real = next<ssize_t(int, void*, size_t)>("read");
  if (!state().armed || !state().plan.reads) return real(file, data, bytes);
  const std::lock_guard lock(state().mutex);
  if (path_of(file).empty()) return real(file, data, bytes);
  const bool meets_plan = meets("read");
  if (meets_plan && state().plan.kind == Kind::fail) {
    errno = state().plan.error;
    return -1;
  }
  return real(file, data, meets_plan ? (bytes + 1) / 2 : bytes);
}

int fsync(int file) {
  static const auto real = next<int(int)>("fsync");
  if (!state().armed) return real(file);
  const std::lock_guard lock(state().mutex);
  const std::string path = path_of(file);
  if (!path.empty() && fails("fsync")) return -1;
  const int result = real(file);
  if (!path.empty() && result == 0) note({"fsync", path, "", "", 0});
  return result;
}

int ftruncate(int file, off_t size) noexcept {
  static const auto real = next<int(int, off_t)>("ftruncate");
  if (!state().armed) return real(file, size);
  const std::lock_guard lock(state().mutex);
  const std::string path = path_of(file);
  if (!path.empty() && fails("truncate")) return -1;
  const int result = real(file, size);
  if (!path.empty() && result == 0) note({"truncate", path, "", "", size});
  return result;
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int(const char*, const char*)>("rename");
  return on_path("rename", from, to, [&] { return real(from, to); });
}

int link(const char* from, const char* to) noexcept {
  static const auto real = next<int(const char*, const char*)>("link");
  return on_path("link", from, to, [&] { return real(from, to); });
}

int unlink(const char* path) noexcept {
  static const auto real = next<int(const char*)>("unlink");
  return on_path("unlink", path, "", [&] { return real(path); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<int(const char*, mode_t)>("mkdir");
  return on_path("mkdir", path, "", [&] { return real(path, mode); });
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  static const auto real = next<int(int, const char*, int, const char*)>("renameat");
  return on_path("rename", path_at(from_folder, from), path_at(to_folder, to),
                 [&] { return real(from_folder, from, to_folder, to); });
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept {
  static const auto real = next<int(int, const char*, int, const char*, int)>("linkat");
  return on_path("link", path_at(from_folder, from), path_at(to_folder, to),
                 [&] { return real(from_folder, from, to_folder, to, flags); });
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  static const auto real = next<int(int, const char*, int)>("unlinkat");
  return on_path("unlink", path_at(folder, path), "", [&] { return real(folder, path, flags); });
}

int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  static const auto real = next<int(int, const char*, mode_t)>("mkdirat");
  return on_path("mkdir", path_at(folder, path), "", [&] { return real(folder, path, mode); });
}

}  // extern "C"
