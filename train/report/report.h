// The report of a run: report.html, one page that needs no network and no script, and the pictures of the page in RUN/report/.
//
// Invariant: a section without data states the reason. The report fails only if the folder is not that of a run (Fault::usage
// or Fault::input), if a number in `images` is not that of a test image (Fault::usage), or if a file cannot be written
// (Fault::failure).
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/choice/choose.h"
#include "train/files/folder.h"

namespace hv::train {

struct ReportOptions {
  std::string folder;                // the folder of the run
  std::vector<std::string> compare;  // folders of other runs, which are drawn in the charts of accuracy and over the steps
  std::string out;                   // path of the page; empty: report.html in the folder
  std::vector<int64_t> images;       // numbers of the test images whose attention is shown; empty: the report chooses
  SubnetChoice subnets = {};         // those that are shown
  OpenFolder held = {};  // the folder, if it is open already: then it is read and written, whatever its path leads to now
};

std::string write_report(const ReportOptions& options);  // returns the page's path

}  // namespace hv::train
