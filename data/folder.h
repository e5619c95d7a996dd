// Folders of images: root/train/<class>/... and root/val|valid|validation|test/<class>/..., classes in the order of their
// names. If there is no train/ folder, root/<class>/... is split: image i of a class is a test image when i % 5 == 4 (sorted
// paths). A class has the pictures of its folder and of all folders below (data/picture_files.h).
//
// Invariants
//   1. Class numbers follow the sorted names of the training classes; a test class that is not among them is an error.
//   2. All images are resized to size x size; sets of up to 1 GiB are decoded once, larger ones on every read
//      (data/picture_set.h).
//   3. Content decides, not names: train/ is a class like others unless the folders in it look like classes.
//   4. Whatever is left out is in notes(). A folder that cannot be read is an error (Fault::input).
// Thread rule: as Dataset. `progress` is called by the thread that opens the set or asks for its checksum.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/picture_set.h"

namespace hv::data {

// The images of a split, listed by their paths. Of files whose names do not tell, the first bytes are read.
struct FolderList {
  std::vector<std::string> class_names, paths;
  std::vector<int64_t> labels;  // one per path
  std::vector<std::string> notes;
};
FolderList list_folder(const std::string& root, Split split);

DatasetPtr open_folder(const std::string& root, Split split, int64_t size, Progress progress = {},
                       int64_t decoded_limit = kDecodedLimit);
bool is_image_folder(const std::string& root);    // has it a class with a picture, however deep?
bool has_class_folders(const std::string& root);  // the same, with the pictures in the class folders themselves

}  // namespace hv::data
