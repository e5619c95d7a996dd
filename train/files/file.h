// Durable files: writing that never harms what was there before, reading that checks what it opens. A place is a name in a held
// folder, or a path (train/files/folder.h).
//
// Invariants
//   1. A file appears under its name complete or not at all: it is written beside its place under a name that nobody else has
//      (O_EXCL), flushed to the disk, renamed, and the folder is flushed. Until then the old file stays as it was; a failed
//      write leaves no temporary file. The new file may be read by whom the old one could be read by: it takes over its mode.
//   2. Interrupted and short system calls are continued. A flush that failed is never tried again: the kernel may have dropped
//      the pages.
//   3. Errors name the path, the system's reason and what to do. Writing: Fault::failure. Reading: Fault::input.
//   4. Only regular files are read and appended to, and opening waits for nothing: no pipe or device can hold the program.
// Thread rule: one thread uses an object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "train/files/folder.h"

namespace hv::train {

class AtomicFile {
 public:
  explicit AtomicFile(const Place& place);
  ~AtomicFile();  // without commit(), removes the temporary file; the old file stays
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write_over(int64_t position, const void* data, size_t bytes);  // replaces bytes already written; call it last
  // Gives the new file its name. The old file of that name stays under keep[0], the old file of keep[0] under keep[1], and so
  // on. A name that has a file has one at every moment.
  void commit(const std::vector<Place>& keep = {});

 private:
  Place place_, temporary_;
  int file_ = -1, mode_ = -1;  // mode_: of the file that is replaced; -1: there is none
};

// All of a file that must hold at most `most` bytes; if it is missing or longer: an error (Fault::input).
std::string read_file(const Place& place, int64_t most);
void write_file(const Place& place, const std::string& text);  // atomically

class AppendFile {  // a log that grows: nothing before its end is ever touched
 public:
  explicit AppendFile(const Place& place);
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
  explicit InputFile(const Place& place);
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

// Calls body(line, whole) for each line, without its end ("\n" or "\r\n"). `whole` is false for a text after the last line end.
// A line of more than `most` bytes is given as an empty one, so that a file of any size takes little memory. Returns the number
// of such lines.
int64_t each_line(InputFile& file, size_t most, const std::function<void(const std::string& line, bool whole)>& body);

bool remove_file(const Place& place);  // false if it was not there or cannot be removed
void rename_file(const Place& place, const Place& to);
// Gives the file a second name; a file of that name is replaced. On a file system without links the file is renamed.
void keep_as(const Place& place, const Place& second);

// Removes the temporary files that processes left which are gone; if `name` is given, only those of that file. Their names are
// like no other (<name>.hydravit.tmp.<16 hexadecimal digits>), and a process holds a lock on what it writes, so that nothing
// else is removed.
void remove_stale_files(const OpenFolder& folder, const std::string& name = "");

}  // namespace hv::train
