// summary.csv of a run folder, with one row per evaluation: the metrics of every subnetwork with the live and with the averaged
// weights. A cell is empty if that evaluation did not measure it, or if it is not available. Also the tables of results that
// commands print.
// Thread rule: one thread uses a Summary; the other functions are pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/files/folder.h"
#include "train/listener.h"

namespace hv::train {

class Summary {
 public:
  // The rows of an existing file are kept up to `step`, because later rows belong to steps that the run will do again. A file
  // with other columns is replaced. `metrics` gives the names and the order of the metrics, as the scorer does; `ema` adds the
  // columns of the averaged weights.
  Summary(const Place& place, const std::vector<models::Subnet>& subnets, const std::vector<Metric>& metrics, bool ema,
          int64_t step);
  // Adds a row and replaces the file atomically. A row with the same step and number of images is replaced. Fault::failure if
  // the file cannot be written.
  void add(const EvalEvent& event);

 private:
  Place place_;
  std::vector<models::Subnet> subnets_;
  std::string head_;
  std::vector<std::pair<std::string, std::string>> rows_;  // "step,images" and the whole line
};

// A table with one line per subnetwork: axes, parameters, MACs, the first metric (also with the averaged weights, if `ema` is
// not empty), images per second.
std::string subnet_table(const std::vector<Result>& live, const std::vector<Result>& ema = {});
// The first metric of every subnetwork on one line: "top-1 51.2 53.0 54.1 (mean 52.8)"; of more than a few
// (train/choice/few.h) the best, the mean and the worst.
std::string score_line(const std::vector<Result>& results);
// The column of a metric in tables: its title and its value, right-aligned in the same width.
std::string metric_title(const Metric& metric);
std::string metric_value(const Metric& metric);

}  // namespace hv::train
