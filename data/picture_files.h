// The pictures below a folder, and an account of what else lies there. Nothing is skipped without a word but hidden files.
//
// Invariants
//   1. A file is a picture if its name ends as that of a picture, or if its first bytes are those of one. So a damaged picture
//      is still found, and reading it is the error that names it.
//   2. Subfolders and links are followed. A folder that was entered before, or that the search came through, is not entered
//      again: links cannot lead in circles. More than 64 folders deep is an error, and so is a folder that cannot be read.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hv::data {

// What was left out: for each reason how many, and the first of them.
class LeftOut {
 public:
  // `known`: names of files that are no pictures and belong there; they are not counted.
  explicit LeftOut(std::set<std::string> known = {}) : known_(std::move(known)) {}
  void add(const std::string& reason, const std::string& path);
  std::vector<std::string> notes(const std::string& where) const;  // one line per reason, which begins with `where`

 private:
  std::set<std::string> known_;
  std::map<std::string, std::pair<int64_t, std::string>> reasons_;
};

// By its name or its first bytes. If not, or if it cannot be read, it is added to what was left out.
bool is_picture(const std::string& path, LeftOut& left_out);
std::vector<std::string> pictures_below(const std::string& folder, LeftOut& left_out);  // sorted by path
std::vector<std::string> pictures_in(const std::string& folder);                        // without subfolders
bool any_picture_below(const std::string& folder);                                      // looks no further than the first

}  // namespace hv::data
