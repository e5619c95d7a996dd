// Small charts side by side, a panel each, as SVG. Both axes of all go from 0 to 1: shares against shares, as in ROC curves.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "train/draw/plot.h"

namespace hv::train {

struct Panels {
  std::string title, alt, x, y;
  std::vector<Series> series;  // how the lines look, for all panels; without points
  struct Panel {
    std::string title, note;                // above the panel, and a line below that
    std::vector<std::vector<Point>> lines;  // as `series`; an empty one is not drawn
  };
  std::vector<Panel> panels;
};
std::string svg(const Panels& chart);  // with the diagonal in each panel

inline constexpr double kPanelSide = 116;  // pixels

}  // namespace hv::train
