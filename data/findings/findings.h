// Pictures with several findings each, as sets of chest X-rays have them: a directory with labels.csv (data/findings/table.h)
// and the pictures anywhere below it. A picture is known by the name of its file.
//
// Invariants
//   1. Every row has its picture and every picture its row; two files of one name are an error. All of Fault::input.
//   2. Splits are by patient (data/findings/split.h), and group(i) is the patient's number.
//   3. Pictures are resized and kept or decoded as data/picture_set.h says; the limit of memory is that of all splits together.
// Thread rule: as Dataset.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "data/findings/table.h"
#include "data/picture_set.h"

namespace hv::data {

inline constexpr const char* kFindingsTable = "labels.csv";
bool has_findings(const std::string& root);  // is there such a table?

// The table and what lies on the disk, side by side.
struct FindingsList {
  FindingsTable table;
  std::vector<std::string> paths;                              // per row; "" if there is no picture
  std::vector<std::string> without_row;                        // pictures
  std::vector<std::pair<std::string, std::string>> same_name;  // pictures, the first one and another one
  std::vector<std::string> notes;
};
FindingsList list_findings(const std::string& root);

DatasetPtr open_findings(const std::string& root, Split split, int64_t size, Progress progress = {},
                         int64_t decoded_limit = kDecodedLimit);

}  // namespace hv::data
