// Checks whether the files of a data set are whole (verify), and describes what is in them (stats).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/label_counts.h"
#include "data/open.h"

namespace hv::data {

struct FileCheck {
  std::string path;
  int64_t bytes = 0, records = 0;
  std::string sha256;
  bool official = false;  // its SHA-256 is that of the official file of its name
  std::string problem;    // empty: none
};
struct VerifyResult {
  std::string name;                // the data set
  std::vector<FileCheck> files;    // CIFAR: one entry per file; pictures: only what is wrong
  int64_t images = 0;              // readable, all splits
  std::vector<std::string> notes;  // what was left out: no problem, but to be known
  bool ok = false;                 // no problem anywhere
  bool official = false;           // the files are those of the official distribution: all of them, and no other

  // Pictures that were read with warnings (Image::warnings); the names of the first few.
  int64_t warned = 0;
  std::vector<std::string> first_warned;

  // Of pictures with a table of findings. `files` names the first ten of each kind.
  int64_t rows_without_picture = 0, pictures_without_row = 0, same_names = 0, unreadable = 0;
  // If images have several labels: the names of the labels, and how often they occur. Empty if the table or the split is wrong.
  std::vector<std::string> class_names;
  std::vector<SplitCounts> splits;
};
// Reads every byte. Problems are reported in the result; only a directory with no data at all is an error (Fault::input).
VerifyResult verify(const Source& source);

struct Stats {
  std::string name;
  int64_t images = 0, height = 0, width = 0;
  std::vector<std::string> class_names;
  LabelCounts counts;
  std::array<double, 3> mean{}, std{};  // over all pixels: these are for normalisation
  std::array<double, 3> image_std{};    // mean over images of the std within an image: smaller, often copied by mistake
  std::string checksum;
};
Stats stats(const Dataset& dataset);

}  // namespace hv::data
