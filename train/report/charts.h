// The charts of a report, out of the data of one or more runs. The first run is the one reported on.
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/draw/plot.h"
#include "train/report/run_data.h"

namespace hv::train {

using Runs = std::vector<RunData>;

enum class Cost { macs, params, images_per_second };
Chart accuracy_chart(const Runs& runs, Cost cost);
std::vector<std::vector<std::string>> accuracy_table(const Runs& runs);

// Over the steps. One run: a line a width; several: a line a run. Without events.jsonl, out of summary.csv.
Chart loss_chart(const Runs& runs);
Chart learning_rate_chart(const Runs& runs);
Chart test_chart(const Runs& runs);

struct Draws {
  Bars bars;
  int64_t steps = 0;
  double chi_square = 0, p = 1;
};
std::optional<Draws> draws_chart(const RunData& run);  // none without events.jsonl
std::optional<Bars> time_chart(const RunData& run);    // none where it was not measured

struct Confusion {
  std::vector<std::vector<int64_t>> counts;  // [true][predicted]
  struct Pair {
    int64_t label = 0, predicted = 0, count = 0;
  };
  std::vector<Pair> pairs;  // the most confused, most often first
};
Confusion confusion(const Table& predictions, int64_t heads, int64_t classes);
std::string svg(const Confusion& confusion, const std::vector<std::string>& names, int64_t heads);

}  // namespace hv::train
