// The charts of a report. The report is about the first of the runs; the others are compared with it.
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/cascade/twice.h"
#include "train/draw/matrix.h"
#include "train/draw/plot.h"
#include "train/runs/run_data.h"
#include "train/views/chart.h"

namespace hv::train {

using Runs = std::vector<RunData>;

// What looking twice would bring; of subnetworks that several axes tell apart, with some on the front. Missing columns, and
// fewer than two widths or no images, are an error (Fault::input).
Twice looking_twice(const RunData& run, bool continues);

enum class Cost { macs, params, images_per_second };
// The metric that decides, per width, over its cost; and the same as a table whose first row holds the titles.
Chart accuracy_chart(const Runs& runs, Cost cost);
std::vector<std::vector<std::string>> accuracy_table(const Runs& runs);
// If several axes tell the subnetworks of a run apart, no line joins them; then the report shows Pareto fronts instead, of the
// weights, live or averaged, that are better on the whole. The cost may be `macs`, or `images_per_second`: then it is the time.
bool several_axes(const Runs& runs);
struct Fronts {
  Contest contest;  // of the first run
  std::vector<Contest> rivals;
  ContestWords words;
};
Fronts fronts_of(const Runs& runs, Cost cost);

// Why the points of another run are not drawn or cannot be compared; "" if they can.
std::string incomparable(const RunData& run, const RunData& other);

// Charts over the steps: a line per width for one run, a line per run for several. Without events.jsonl they use summary.csv.
// Of subnetworks that several axes tell apart a few have a line (train/views/views.h).
Chart loss_chart(const Runs& runs);
Chart learning_rate_chart(const Runs& runs);
Chart test_chart(const Runs& runs);

struct Draws {
  std::vector<Bars> bars;  // how often each subnetwork was trained; of several axes, for each axis how often each value
  int64_t steps = 0;       // the sum of the bars of one axis
  // Pearson's chi-square test against the expected counts: the statistic, and the probability that it is at least so large.
  double chi_square = 0, p = 1;
};
std::optional<Draws> draws_chart(const RunData& run);  // empty without events.jsonl
std::optional<Bars> time_chart(const RunData& run);    // empty if the times were not measured

// `predictions` is a table like predictions.csv. Missing columns and classes outside [0, classes) are errors (Fault::input).
Confusion confusion(const Table& predictions, const models::Subnet& subnet, int64_t classes);

}  // namespace hv::train
