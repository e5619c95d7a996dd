// Finds the pictures that a command reads: it makes one list of files from files, folders and lists of paths.
//
// Invariants
//   1. The order is that of the arguments. Within a folder, files and folders together are sorted by name, bytewise.
//   2. A path that cannot be read is in the list together with its problem. Only these are skipped: inside of folders, files
//      that are not pictures and links to folders, which may form circles, are counted as left out; names that begin with a dot
//      are hidden.
// Thread rule: any thread.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "data/picture_files.h"

namespace hv::train {

struct ImagePath {
  std::string path;
  std::string problem;  // one line that names the path; empty if none is known yet
};

// An argument is a file (which is opened later), a folder, or "-". A folder is searched with all its subfolders for
// pictures, by their names or their first bytes. "-" reads one path per line from `list`. Errors: "-" given twice
// (Fault::usage), a list that is not text or an empty result (Fault::input).
std::vector<ImagePath> find_images(const std::vector<std::string>& arguments, std::istream& list,
                                   data::LeftOut* left_out = nullptr);

}  // namespace hv::train
