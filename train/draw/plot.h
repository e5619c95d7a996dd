// Charts as SVG text: lines and points, bars. General: what is drawn comes from the caller.
//
// Invariants
//   1. A chart is one complete <svg> that stands alone and may also be put into a page: its style block is the same for every
//      chart.
//   2. It is legible on white and on dark (prefers-color-scheme) and to the colour-blind: series differ by colour, marker and
//      dash.
//   3. Every text from outside is escaped. A value that is not finite is left out.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hv::train {

struct Colour {
  std::string light, dark;  // on a white and on a dark page: "#rrggbb"
};
Colour ramp_colour(int64_t i, int64_t n);  // ordered things, such as widths: first to last
Colour group_colour(int64_t i);            // unordered things, such as runs

struct Point {
  double x = 0, y = 0;
  std::string label = {};
};

struct Series {
  std::string name;  // in the legend; empty: not there
  Colour colour;
  std::vector<Point> points;
  int64_t marker = 0;  // which shape; -1: none
  bool line = true, hollow = false, dashed = false;
};

struct Axis {
  std::string title;  // with its unit
  bool log = false;   // values that are not positive are left out
};

struct Chart {
  std::string title, alt;  // alt: what a reader who cannot see it is told
  Axis x, y;
  std::vector<Series> series;
  struct Mark {
    double x = 0;
    std::string label;
  };
  std::vector<Mark> marks = {};  // vertical lines
};
std::string svg(const Chart& chart);

struct Bars {
  std::string title, alt, x, y;
  struct Bar {
    std::string name;
    double value = 0;
    Colour colour;
    std::string label = {};  // above the bar; empty: the value
    double expected = -1;    // a line across the bar, where it is not negative
  };
  std::vector<Bar> bars;
};
std::string svg(const Bars& chart);

// Round numbers (1, 2 or 5 times a power of ten) that lie in [low, high], at most about `wanted` steps.
std::vector<double> ticks(double low, double high, int wanted);
std::vector<double> log_ticks(double low, double high);
std::string short_number(double value);  // "0.0005", "12.5", "20 k", "3.1 M"

// --- for those who draw something else in the same style (train/report/matrix.cpp) ------------------------------------------
std::string svg_begin(double width, double height, const std::string& title, const std::string& alt);
std::string svg_text(double x, double y, const std::string& text, const std::string& anchor = "middle",
                     const std::string& more = "");
std::string fixed(double value);                               // a coordinate
double text_width(const std::string& text, double size = 12);  // an estimate

}  // namespace hv::train
