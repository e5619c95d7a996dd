// Small file helpers of data/: bounded reading and whole writing, with clear errors. What comes from outside is never trusted to be
// small.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hv::data {

int64_t file_bytes(const std::string& path);  // of a regular file; anything else is an error (Fault::input)
// Reads exactly `bytes` bytes into memory; an error if the file is shorter.
void read_exactly(const std::string& path, uint8_t* out, int64_t bytes);
std::vector<uint8_t> read_small(const std::string& path, int64_t limit);  // the whole file; an error if larger
// One name a line; empty lines and line ends of any kind are dropped. At most 1 MiB.
std::vector<std::string> read_lines(const std::string& path);
std::vector<std::string> list_directory(const std::string& path, bool directories);  // names, sorted; empty if unreadable
void write_file(const std::string& path, std::span<const uint8_t> content);  // whole, through a temporary file and a rename
std::string join(const std::string& directory, const std::string& name);

}  // namespace hv::data
