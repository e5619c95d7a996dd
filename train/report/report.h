// report.html of a run: everything it tells in one page that needs no network and no script, and its pictures in RUN/report/.
//
// A section that has no data says why; the report itself fails only if there is no run or nothing can be written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

struct ReportOptions {
  std::string folder;                // of the run
  std::vector<std::string> compare;  // folders of others, for the accuracy and the curves
  std::string out;                   // the page; empty: report.html in the folder
  std::vector<int64_t> images;       // test images to look into; empty: chosen
};

std::string write_report(const ReportOptions& options);  // returns the page's path

}  // namespace hv::train
