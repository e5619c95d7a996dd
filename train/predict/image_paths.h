// Which pictures to look at: files, folders and lists of paths become one list of files.
//
// Invariants
//   1. The order is that of the arguments; within a folder, of the names (bytewise), files and folders together.
//   2. Nothing is left out in silence: what cannot be read stands in the list with its problem. Only files and folders whose
//      names begin with a dot, linked folders (they may lead round in circles), and files that are no pictures inside of
//      folders are passed over.
// Thread rule: any thread.
#pragma once

#include <istream>
#include <string>
#include <vector>

namespace hv::train {

struct ImagePath {
  std::string path;
  std::string problem;  // one line, with the path; empty: none known yet
};

// An argument is a file (looked into later), a folder (searched to the bottom for files that are PNG or JPEG by their name or
// their first bytes), or "-": one path a line from `list`.
std::vector<ImagePath> find_images(const std::vector<std::string>& arguments, std::istream& list);

}  // namespace hv::train
