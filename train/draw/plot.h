// Charts as SVG text: lines and points, and bars. They know nothing of training.
//
// Invariants
//   1. A chart is one complete <svg>: it can be a file or a part of a page. Its style block is the same for every chart.
//   2. A chart is legible on white and on dark pages (prefers-color-scheme) and for colour-blind readers: series differ by
//      colour, marker and dashes.
//   3. Every text of the caller is escaped. A value that is not finite is not drawn.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hv::train {

struct Colour {
  std::string light, dark;  // "#rrggbb" on a white page and on a dark page
};
Colour ramp_colour(int64_t i, int64_t n);  // of the i-th of n ordered things, such as widths
Colour group_colour(int64_t i);            // of the i-th of some unordered things, such as runs

struct Point {
  double x = 0, y = 0;
  std::string label = {};  // beside the point; empty: none
};

struct Series {
  std::string name;  // in the legend; a series without a name is not in the legend
  Colour colour;
  std::vector<Point> points;
  int64_t marker = 0;  // number of the shape of its points; -1: none
  bool line = true, hollow = false, dashed = false;
  bool faint = false;  // its points are small and pale, and labels may cover them
  bool thick = false;  // of several lines the one that matters most
};

struct Axis {
  std::string title;                 // with its unit
  bool log = false;                  // logarithmic; then values that are not positive are not drawn
  bool whole = false;                // ticks at whole numbers alone
  std::vector<double> reaches = {};  // values that it reaches, whatever is drawn
};

struct Chart {
  std::string title, alt;  // alt: a description for readers who cannot see the chart
  Axis x, y;
  std::vector<Series> series;
  struct Mark {
    double x = 0;
    std::string label;
  };
  std::vector<Mark> marks = {};      // vertical lines
  double width = 460, height = 220;  // of the picture, and of the plot in it, in pixels
};
std::string svg(const Chart& chart);

struct Bars {
  std::string title, alt, x, y;
  struct Bar {
    std::string name;
    double value = 0;
    Colour colour;
    std::string label = {};  // above the bar; if empty, the value is printed
    double expected = -1;    // a line across the bar at this value; negative: no line
  };
  std::vector<Bar> bars;
  bool steep = false;  // names are written upwards, because they are many or long
};
std::string svg(const Bars& chart);

// Ticks of an axis. ticks() returns multiples of 1, 2 or 5 times a power of ten in [low, high], about `wanted` of them at most.
// log_ticks() returns 1, 2 and 5 times the powers of ten in [low, high], or only the powers over more than three decades.
std::vector<double> ticks(double low, double high, int wanted);
std::vector<double> log_ticks(double low, double high);
std::string short_number(double value);  // "0.0005", "12.5", "20 k", "3.1 M"

// --- parts for other drawings in the same style (matrix.cpp, panels.cpp) ---------------------------------------------------
std::string svg_begin(double width, double height, const std::string& title, const std::string& alt);
std::string svg_text(double x, double y, const std::string& text, const std::string& anchor = "middle",
                     const std::string& more = "");
std::string fixed(double value);                               // a coordinate, in pixels with one decimal
double text_width(const std::string& text, double size = 12);  // an estimate, in pixels
std::string shortened(const std::string& name, size_t letters);
std::string open_group(const Series& series);  // <g> in the series' colour; it needs an </g>
std::string line_path(const std::vector<std::pair<double, double>>& at, const Series& series);  // at: pixels
// The entries of the legend, in rows below the plot. Returns the drawing and sets y to its lower end.
std::string legend(const std::vector<Series>& series, double left, double right, double& y);

}  // namespace hv::train
