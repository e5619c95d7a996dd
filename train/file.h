// Files, carefully: writing that never harms what was there before, reading that checks what it opens, run folders.
//
// Invariants
//   1. A file appears under its name complete or not at all: it is written beside its place (O_EXCL), flushed to the disk, renamed,
//      and the folder is flushed. Until then the old file stays as it was; a failed write leaves no temporary file.
//   2. Interrupted and short system calls are continued.
//   3. Errors name the path, the system's reason and what to do. Writing: Fault::failure. Reading: Fault::input.
// Thread rule: one thread uses an object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hv::train {

class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  // without commit(): as if nothing had been
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  // The new file takes the name. With `keep_as`, the file that had it stays beside it under that name.
  void commit(const std::string& keep_as = "");

 private:
  std::string path_, temporary_;
  int file_ = -1;
};

void write_file(const std::string& path, const std::string& text);  // atomically

class AppendFile {  // a log that grows: nothing before its end is ever touched
 public:
  explicit AppendFile(const std::string& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  void append(const std::string& bytes);  // one write(), so that lines of a killed process are whole

 private:
  std::string path_;
  int file_ = -1;
};

class InputFile {  // a regular file, read once from the start
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int64_t size() const { return size_; }  // of the open file, by fstat
  int64_t position() const { return position_; }
  void read(void* data, size_t bytes);    // all of them

 private:
  std::string path_;
  int file_ = -1;
  int64_t size_ = 0, position_ = 0;
};

bool is_folder(const std::string& path);
bool file_exists(const std::string& path);
std::string join_path(const std::string& folder, const std::string& name);

// A folder for a new run. `wanted` must not hold a run yet; empty: runs/<preset>-<date>-<time>, with a number if that is taken.
// Fails here, before any training, if nothing can be written in it.
std::string make_run_folder(const std::string& wanted, const std::string& preset);
// Removes the temporary files of processes that are gone.
void remove_stale_files(const std::string& folder);

}  // namespace hv::train
