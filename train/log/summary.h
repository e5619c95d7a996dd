// summary.csv: one row an evaluation, with every width's accuracy by live and by averaged weights. And the tables people see.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/evaluate.h"

namespace hv::train {

struct SummaryRow {
  int64_t step = 0;
  double epoch = 0, seconds = 0, lr = 0;
  double train_loss = 0;               // mean since the row before
  std::vector<WidthResult> live, ema;  // ema may be empty
};

class Summary {
 public:
  // An existing file goes on after its row of `step`: rows beyond belong to steps that will be done again.
  Summary(std::string path, const std::vector<models::Subnet>& widths, bool ema, int64_t step);
  // Rewrites the file, atomically. A row of the same step and number of images is replaced.
  void add(const SummaryRow& row);

 private:
  std::string path_, head_;
  std::vector<std::pair<std::string, std::string>> rows_;  // "step,images" and the line
};

// heads, dim, params, MACs, top-1 (and that of the average), images/s: one line a width.
std::string width_table(const std::vector<WidthResult>& live, const std::vector<WidthResult>& ema = {});
// "top-1 51.2 53.0 54.1 (mean 52.8)"
std::string accuracy_line(const std::vector<WidthResult>& results);

}  // namespace hv::train
