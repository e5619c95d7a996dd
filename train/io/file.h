// Durable files: writing that never harms what was there before, reading that checks what it opens.
//
// Invariants
//   1. A file appears under its name complete or not at all: it is written beside its place (O_EXCL), flushed to the disk,
//      renamed, and the folder is flushed. Until then the old file stays as it was; a failed write leaves no temporary file.
//   2. Interrupted and short system calls are continued. A flush that failed is never tried again: the kernel may have dropped
//      the pages.
//   3. Errors name the path, the system's reason and what to do. Writing: Fault::failure. Reading: Fault::input.
// Thread rule: one thread uses an object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  // without commit(), removes the temporary file; the old file stays
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write_over(int64_t position, const void* data, size_t bytes);  // replaces bytes already written; call it last
  // Gives the new file its name. The old file of that name stays under keep[0], the old file of keep[0] under keep[1], and so
  // on. A name that has a file has one at every moment.
  void commit(const std::vector<std::string>& keep = {});

 private:
  std::string path_, temporary_;
  int file_ = -1;
};

// All of a file that must hold at most `most` bytes; if it is missing or longer: an error (Fault::input).
std::string read_file(const std::string& path, int64_t most);
void write_file(const std::string& path, const std::string& text);  // atomically
// The error of every failed write: "<path>: cannot <what>: <reason>", and what to do where that is known.
[[noreturn]] void write_failed(const std::string& path, const char* what, int error);

class AppendFile {  // a log that grows: nothing before its end is ever touched
 public:
  explicit AppendFile(const std::string& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  // One write(), so that lines of a killed process are whole. If it fails, the file keeps its old length.
  void append(const std::string& bytes);

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
  void read(void* data, size_t bytes);  // exactly so many; a file that ends before is an error

 private:
  std::string path_;
  int file_ = -1;
  int64_t size_ = 0, position_ = 0;
};

bool is_folder(const std::string& path);
bool file_exists(const std::string& path);
std::string join_path(const std::string& folder, const std::string& name);
std::string parent_of(const std::string& path);  // "." if the path is a name alone
// Makes a folder and flushes its parent to the disk. False if something has that name already.
bool make_folder(const std::string& folder);
void make_folders(const std::string& folder);  // with its parents, if there are none yet
bool remove_file(const std::string& path);     // false if it was not there or cannot be removed
void rename_file(const std::string& path, const std::string& to);
// Gives the file a second name; a file of that name is replaced. On a file system without links the file is renamed.
void keep_as(const std::string& path, const std::string& second);

// Removes the temporary files of processes that are gone.
void remove_stale_files(const std::string& folder);

}  // namespace hv::train
