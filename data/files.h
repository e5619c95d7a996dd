// File helpers of data/: bounded reading and durable writing. A file from outside may have any size, so each reader has a limit
// or a buffer of fixed size.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace hv::data {

int64_t file_bytes(const std::string& path);  // of a regular file; anything else is an error (Fault::input)
// Reads exactly `bytes` bytes into memory; an error if the file is shorter.
void read_exactly(const std::string& path, uint8_t* out, int64_t bytes);
std::vector<uint8_t> read_small(const std::string& path, int64_t limit);  // the whole file; an error if larger
// The whole file through a small buffer.
void read_chunks(const std::string& path, const std::function<void(std::span<const uint8_t>)>& take);
// One name per line; empty lines and line ends of any kind are dropped. The file may have at most 1 MiB.
std::vector<std::string> read_lines(const std::string& path);
std::vector<uint8_t> read_beginning(const std::string& path, int64_t bytes);  // fewer, if the file has fewer
// What is in a folder, sorted by name; a link counts as what it leads to. Names that begin with a dot are hidden and not
// listed. A folder that is not there has no entries; one that cannot be read is an error (Fault::input), so that nothing gets
// lost.
struct Entry {
  std::string name;
  enum Kind { file, folder, other } kind;  // other: a link to nothing, a pipe, a device
};
std::vector<Entry> list_entries(const std::string& path);
std::vector<std::string> list_directory(const std::string& path, bool directories);  // the names of its folders or its files
// Class names are written into checkpoints, to terminals and into other programs' files. So a name that is long or has control
// characters is an error.
void check_class_name(const std::string& name, const std::string& where);
// Writes a new file. The destructor removes the file unless finish() was called. Errors name the path (Fault::failure).
class FileWriter {
 public:
  // `fresh`: the name must be free. Otherwise a file of that name is emptied.
  explicit FileWriter(const std::string& path, bool fresh = false);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(std::span<const uint8_t> bytes);
  void finish();  // flushed to the disk and closed

 private:
  [[noreturn]] void refuse();
  std::string path_;
  int fd_;
};
// Renames `from` to `to` and flushes the directory, so that the new name survives a power loss.
void rename_durably(const std::string& from, const std::string& to);

// Writes a temporary file with a name of its own and renames it, so that `path` is never half written, by several processes
// neither.
void write_file(const std::string& path, std::span<const uint8_t> content);
std::string join(const std::string& directory, const std::string& name);

}  // namespace hv::data
