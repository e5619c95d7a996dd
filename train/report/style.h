// How the charts and tables of a report show numbers. Thread rule: pure functions.
#pragma once

#include <cmath>
#include <string>

#include "train/draw/plot.h"
#include "train/io/print.h"

namespace hv::train {

struct Style {  // of the metric that decides
  std::string title, axis, column;
  const char *format, *table;
  const char* distance;  // of a difference of two
};
inline Style style_of(const std::string& metric) {
  if (metric == "top1") return {"Test accuracy", "top-1 accuracy in %", "top-1 %", "%.1f %%", "%.2f", "%.1f points"};
  return {"Test " + metric, metric, metric, "%.3f", "%.4f", "%.3f"};
}

inline std::string print_finite(const char* format, double value) { return std::isfinite(value) ? print(format, value) : "-"; }

inline Series line(const std::string& name, const Colour& colour, int64_t marker, std::vector<Point> points) {
  Series series;
  series.name = name;
  series.colour = colour;
  series.marker = marker;
  series.points = std::move(points);
  return series;
}

}  // namespace hv::train
