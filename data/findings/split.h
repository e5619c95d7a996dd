// Which pictures of a table are for training, validation and testing: always all pictures of a patient together.
//
// Invariants
//   1. If both official lists are there, train_val_list.txt and test_list.txt (a picture's name per line), they decide: each
//      picture of the table is in exactly one, each of their names is in the table, and no patient is in both.
//   2. Else about a fifth of the patients are for testing. Always a tenth of the patients left are for validation. Both are
//      chosen by a hash of what the table calls the patient, so that other patients and the order of rows change nothing.
//   3. Of at least three patients, each part gets one.
// Thread rule: any thread.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/findings/table.h"

namespace hv::data {

inline constexpr const char* kTrainList = "train_val_list.txt";
inline constexpr const char* kTestList = "test_list.txt";

// One entry per row. What breaks invariant 1 is an error (Fault::input) that names the file, the line or the patient.
std::vector<Split> split_findings(const FindingsTable& table, const std::string& folder);

}  // namespace hv::data
