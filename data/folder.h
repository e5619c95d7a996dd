// Folders of images: root/train/<class>/*.png|jpg|jpeg and root/val|test/<class>/*, classes in the order of their names.
// If there is no train/ folder, root/<class>/* is split: image i of a class is a test image when i % 5 == 4 (sorted names).
//
// Invariants
//   1. Class numbers follow the sorted names of the training classes; a test class that is not among them is an error.
//   2. All images are resized to size x size (the shorter side is resized, then the middle is cut out); sets of up to 1 GiB are
//      decoded once, on opening, larger ones on every read.
// Thread rule: as Dataset.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace hv::data {

// The images of a split, listed by their names; no file is opened.
struct FolderList {
  std::vector<std::string> class_names, paths;
  std::vector<int64_t> labels;  // one per path
};
FolderList list_folder(const std::string& root, Split split);

DatasetPtr open_folder(const std::string& root, Split split, int64_t size);
bool is_image_folder(const std::string& root);  // names only; never throws

}  // namespace hv::data
