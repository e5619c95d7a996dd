#include "train/draw/panels.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace hv::train {
namespace {

constexpr size_t kColumns = 3, kLetters = 18;
constexpr double kWidth = 460, kLeft = 54, kTop = 34, kAcross = kPanelSide + 18, kHead = 34, kDown = kHead + kPanelSide + 8;

std::string frame(double left, double top) {
  const double side = kPanelSide, right = left + side, bottom = top + side, half = side / 2;
  return concat("<path class=\"g\" d=\"M", fixed(left), " ", fixed(top + half), "H", fixed(right), "M", fixed(left + half), " ",
                fixed(top), "V", fixed(bottom), "M", fixed(left), " ", fixed(bottom), "L", fixed(right), " ", fixed(top),
                "\"/><rect class=\"a\" x=\"", fixed(left), "\" y=\"", fixed(top), "\" width=\"", fixed(side), "\" height=\"",
                fixed(side), "\"/>\n");
}

std::string lines(const Panels& chart, const Panels::Panel& panel, double left, double top) {
  std::string out;
  for (size_t s = 0; s < std::min(chart.series.size(), panel.lines.size()); ++s) {
    std::vector<std::pair<double, double>> at;
    for (const Point& point : panel.lines[s]) {
      if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
      at.emplace_back(left + kPanelSide * point.x, top + kPanelSide * (1 - point.y));
    }
    if (at.size() > 1) out += open_group(chart.series[s]) + line_path(at, chart.series[s]) + "</g>\n";
  }
  return out;
}

}  // namespace

std::string svg(const Panels& chart) {
  const size_t count = chart.panels.size(), rows = (count + kColumns - 1) / kColumns;
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    const Panels::Panel& panel = chart.panels[i];
    const size_t row = i / kColumns;
    const double left = kLeft + kAcross * static_cast<double>(i % kColumns);
    const double top = kTop + kDown * static_cast<double>(row) + kHead - 8, bottom = top + kPanelSide;
    out += frame(left, top) + lines(chart, panel, left, top);
    out += svg_text(left, top - 19, shortened(panel.title, kLetters), "start", " style=\"font-weight:600\"");
    out += svg_text(left, top - 5, panel.note, "start");
    if (i % kColumns == 0) out += svg_text(left - 6, top + 9, "1", "end") + svg_text(left - 6, bottom + 1, "0", "end");
    if (i + kColumns < count) continue;  // the lowest of its column
    out += svg_text(left, bottom + 15, "0") + svg_text(left + kPanelSide, bottom + 15, "1");
  }
  const double bottom = kTop + kDown * static_cast<double>(rows);
  out += svg_text(kLeft + (kAcross * kColumns - 18) / 2, bottom + 24, chart.x);
  out += svg_text(0, 0, chart.y, "middle", concat(" transform=\"translate(14 ", fixed((kTop + bottom) / 2), ") rotate(-90)\""));
  double end = bottom + 48;
  const std::string entries = legend(chart.series, kLeft, kWidth, end);
  return svg_begin(kWidth, end + 8, chart.title, chart.alt) + out + entries + "</svg>";
}

}  // namespace hv::train
