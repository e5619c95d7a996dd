// The one door to data: what the user named -> a data set. A new kind is a class and a row of data_kinds(); a program that uses
// the library adds rows of its own before it opens anything.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace hv::data {

struct Source {
  std::string data = "shapes10";  // a directory, or the name of a built-in set: "shapes10", "findings8"
  std::string kind = "auto";      // what the directory holds: auto, or a name of data_kinds()
  int64_t image_size = 32;        // images of a folder are resized to this; the others have theirs
  std::function<void(int64_t done, int64_t total)> progress = {};  // while the images of a folder are read
  bool labels_only = false;  // read no picture before it is asked for: what is wanted is the labels
};

struct DataKind {
  std::string name;
  std::function<DatasetPtr(const Source& source, Split split)> open;
  bool built_in = false;    // made by a program: lies in no directory, and Source::data is its name
  bool validation = false;  // whether there are images that are neither for training nor for testing
};
std::vector<DataKind>& data_kinds();
std::vector<std::string> kind_names();      // "auto" and those of the table
bool is_built_in(const std::string& name);  // is it the name of a kind that needs no directory?
// Whether open() has images for Split::validation. Asking for those of another kind is an error (Fault::usage).
bool has_validation(const Source& source);

// auto: CIFAR-10, then CIFAR-100 (in the directory or its usual subfolder), then pictures with a table of findings, then a
// folder of images. What is missing, damaged or unknown is an error (Fault::input; Fault::usage for an unknown kind).
DatasetPtr open(const Source& source, Split split);
// The kind that open() would read: never "auto". The same errors.
std::string resolve_kind(const Source& source);

// Does the directory hold training images, so that it may be used without being named? Of folders of images only those whose
// pictures lie in the class folders themselves: a folder of several data sets is none. An unreadable folder is an error.
bool looks_like_data(const std::string& directory);

}  // namespace hv::data
