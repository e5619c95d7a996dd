// The table and the charts of findings. `shown`: which labels, by their index.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "train/draw/matrix.h"
#include "train/draw/panels.h"
#include "train/findings/judged.h"
#include "train/scores/ranking.h"

namespace hv::train {

std::string score_text(double value);  // "0.873"; "n/a"

// A row per label and one of the mean; the first row holds the titles.
std::vector<std::vector<std::string>> score_rows(const Judged& judged, const std::vector<size_t>& shown);

// The corners of a curve, as many as a panel can show. Left out are points on a straight line, and those within half a pixel of
// the last one.
std::vector<Point> corners(const std::vector<RocPoint>& curve);
Panels roc_panels(const Judged& judged, const std::vector<size_t>& shown);

Chart width_chart(const Judged& judged, const std::vector<size_t>& shown);  // AUROC over MACs, a line per label
// What is seen, then what is predicted; one scale of colours.
std::vector<Matrix> together_matrices(const Judged& judged, const std::vector<size_t>& shown);
Bars mixing_bars(const Judged& judged, const std::vector<size_t>& shown, const std::vector<double>& mixing);
Chart reliability_chart(const Judged& judged);  // of all labels together, at the widest

}  // namespace hv::train
