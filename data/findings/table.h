// The table of a set of pictures with several findings each: which picture has which labels, and whose it is.
//
// Two forms, told apart by the column "Finding Labels":
//   NIH ChestX-ray14   "Image Index" names the picture, "Finding Labels" has names separated by '|' or "No Finding"
//   0/1 matrix         the first column names the picture, every other column is a label with cells 0 or 1
// The column "Patient ID" (or "patient") says whose picture it is; without it each picture is a patient of its own. All other
// columns of NIH's form are ignored.
//
// Invariants
//   1. There is at least one row and one label. No picture has two rows, and no row has a label twice.
//   2. Labels are in the official order if all are among NIH's fourteen, else sorted by name. So every label that any row has,
//      or that a matrix has a column for, is known, whichever split it occurs in.
//   3. Patients are numbered in the order of their first rows.
//   4. An error (Fault::input) says where: line, column, what is expected, what was found.
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hv::data {

struct FindingsTable {
  std::string name;                                      // of the file, for errors
  std::vector<std::string> labels, patients;             // patients: as the table calls them
  std::vector<std::string> pictures;                     // per row: the name of a file, without its folder
  std::vector<int64_t> patient, lines;                   // per row
  std::vector<uint8_t> has;                              // [row * labels + label]: 0 or 1
  std::unordered_map<std::string_view, int64_t> row_of;  // picture -> row; its texts are those of `pictures`

  FindingsTable() = default;
  FindingsTable(FindingsTable&&) = default;  // not copied, because row_of looks into `pictures`
  FindingsTable& operator=(FindingsTable&&) = default;
  int64_t rows() const { return static_cast<int64_t>(pictures.size()); }
  const uint8_t* row(int64_t i) const { return has.data() + i * static_cast<int64_t>(labels.size()); }
  std::vector<int64_t> labels_of(int64_t i) const;
};

FindingsTable parse_findings(std::string_view text, const std::string& name);
FindingsTable read_findings(const std::string& path);  // a file of at most 64 MiB

}  // namespace hv::data
