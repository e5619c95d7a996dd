// Charts with lines and points on two axes, and charts with bars.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "train/draw/plot.h"

namespace hv::train {
namespace {

constexpr double kWidth = 460, kTop = 34, kPlot = 220, kRight = 18;

struct Scale {
  bool log = false;
  double low = 0, high = 1, from = 0, to = 1;  // value `low` is drawn at pixel `from`, value `high` at pixel `to`
  bool takes(double value) const { return std::isfinite(value) && (!log || value > 0); }
  double at(double value) const {
    const double share = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + share * (to - from);
  }
};

// The range of the values with a margin on both sides; [0, 1] if there are no values.
Scale fit(const std::vector<double>& values, bool log) {
  Scale scale{log, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const double value : values) {
    if (!scale.takes(value)) continue;
    scale.low = std::min(scale.low, value);
    scale.high = std::max(scale.high, value);
  }
  if (scale.low > scale.high) return {false, 0, 1};
  if (log) {
    const double air = std::max(1.05, std::pow(scale.high / scale.low, 0.06));
    scale.low /= air;
    scale.high *= air;
  } else {
    double air = 0.06 * (scale.high - scale.low);
    if (air <= 1e-9 * std::abs(scale.high)) air = std::max(1e-6, 0.1 * std::abs(scale.high));
    const bool positive = scale.low >= 0;
    scale.low -= air;
    scale.high += air;
    if (positive) scale.low = std::max(0.0, scale.low);  // because a loss or a count is never negative
  }
  return scale;
}

std::vector<double> ticks_of(const Scale& scale, int wanted, bool whole = false) {
  std::vector<double> result = scale.log ? log_ticks(scale.low, scale.high) : ticks(scale.low, scale.high, wanted);
  if (scale.log && result.size() < 2) result = ticks(scale.low, scale.high, wanted);
  if (whole) std::erase_if(result, [](double tick) { return tick != std::round(tick); });
  return result;
}

// A shape of radius r around (x, y), one of six that are easy to distinguish.
std::string marker_path(int64_t shape, double x, double y, double r) {
  const auto polygon = [&](std::initializer_list<std::pair<double, double>> corners) {
    std::string path;
    for (const auto& [dx, dy] : corners) path += concat(path.empty() ? "M" : "L", fixed(x + r * dx), " ", fixed(y + r * dy));
    return path + "Z";
  };
  switch (shape % 6) {
    case 0:
      return concat("M", fixed(x - r), " ", fixed(y), "a", r, " ", r, " 0 1 0 ", 2 * r, " 0a", r, " ", r, " 0 1 0 ", -2 * r,
                    " 0Z");
    case 1:
      return polygon({{-.9, -.9}, {.9, -.9}, {.9, .9}, {-.9, .9}});
    case 2:
      return polygon({{0, -1.2}, {1.1, .9}, {-1.1, .9}});
    case 3:
      return polygon({{0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0}});
    case 4:
      return polygon({{0, 1.2}, {1.1, -.9}, {-1.1, -.9}});
    default:
      return polygon({{-.4, -1.2},
                      {.4, -1.2},
                      {.4, -.4},
                      {1.2, -.4},
                      {1.2, .4},
                      {.4, .4},
                      {.4, 1.2},
                      {-.4, 1.2},
                      {-.4, .4},
                      {-1.2, .4},
                      {-1.2, -.4},
                      {-.4, -.4}});
  }
}

std::string marker(const Series& series, double x, double y, double radius = 4) {
  return concat("<path d=\"", marker_path(series.marker, x, y, radius),
                series.hollow ? "\" class=\"o\"" : "\" fill=\"currentColor\"", " stroke-width=\"1.5\"/>");
}

// Places each label beside its point so that it covers nothing that was drawn before. A label for which there is no such place
// is not drawn.
class Labels {
 public:
  Labels(double left, double right, double top, double bottom) : left_(left), right_(right), top_(top), bottom_(bottom) {}
  void occupy(double x, double y, double half_width, double half_height) {
    taken_.push_back({x - half_width, x + half_width, y - half_height, y + half_height});
  }
  std::string place(double x, double y, const std::string& text) {
    const auto said = [&](const auto& other) { return other.second == text && std::abs(other.first - x) < 1; };
    // The point of another run at the same width lies directly above or below, and its label serves both.
    if (std::any_of(said_.begin(), said_.end(), said)) return "";
    said_.emplace_back(x, text);
    const double half = text_width(text, 11) / 2 + 1, side = half + 9;
    for (const auto& [dx, dy] : {std::pair{0.0, -13.0},
                                 {0.0, 14.0},
                                 {side, 0.0},
                                 {-side, 0.0},
                                 {side, -10.0},
                                 {-side, -10.0},
                                 {side, 11.0},
                                 {-side, 11.0},
                                 {0.0, -25.0},
                                 {0.0, 26.0}}) {
      const Rectangle r{x + dx - half, x + dx + half, y + dy - 6, y + dy + 6};
      const bool inside = r.left >= left_ && r.right <= right_ && r.top >= top_ && r.bottom <= bottom_;
      if (!inside || std::any_of(taken_.begin(), taken_.end(), [&](const Rectangle& other) { return r.meets(other); }))
        continue;
      taken_.push_back(r);
      return svg_text(x + dx, y + dy + 4, text, "middle", " class=\"n\"");
    }
    return "";
  }

 private:
  struct Rectangle {
    double left, right, top, bottom;
    bool meets(const Rectangle& o) const { return left < o.right && o.left < right && top < o.bottom && o.top < bottom; }
  };
  double left_, right_, top_, bottom_;
  std::vector<Rectangle> taken_;
  std::vector<std::pair<double, std::string>> said_;
};

}  // namespace

std::string open_group(const Series& series) {
  return concat("<g class=\"s\"", series.faint ? " opacity=\"0.3\"" : "", " style=\"--l:", series.colour.light,
                ";--d:", series.colour.dark, "\" stroke=\"currentColor\">");
}

std::string line_path(const std::vector<std::pair<double, double>>& at, const Series& series) {
  std::string path;
  for (const auto& [x, y] : at) path += concat(path.empty() ? "M" : "L", fixed(x), " ", fixed(y));
  return concat("<path d=\"", path, "\" fill=\"none\" stroke-width=\"", series.thick ? "3.6" : "1.8", "\"",
                series.dashed ? " stroke-dasharray=\"5 4\"" : "", "/>");
}

std::string legend(const std::vector<Series>& series, double left, double right, double& y) {
  std::string out;
  double x = left;
  for (const Series& s : series) {
    if (s.name.empty()) continue;
    const double width = 34 + text_width(s.name) + 14;
    if (x > left && x + width > right - 4) {
      x = left;
      y += 18;
    }
    out += open_group(s);
    if (s.line) out += line_path({{x, y - 4}, {x + 26, y - 4}}, s);
    if (s.marker >= 0) out += marker(s, x + 13, y - 4);
    out += "</g>" + svg_text(x + 32, y, s.name, "start");
    x += width;
  }
  return out;
}

std::string svg(const Chart& chart) {
  std::vector<double> xs, ys;
  for (const Series& s : chart.series) {
    for (const Point& point : s.points) {
      xs.push_back(point.x);
      ys.push_back(point.y);
    }
  }
  for (const Chart::Mark& mark : chart.marks) xs.push_back(mark.x);
  xs.insert(xs.end(), chart.x.reaches.begin(), chart.x.reaches.end());
  ys.insert(ys.end(), chart.y.reaches.begin(), chart.y.reaches.end());
  Scale x = fit(xs, chart.x.log), y = fit(ys, chart.y.log);
  const std::vector<double> x_ticks = ticks_of(x, 7, chart.x.whole), y_ticks = ticks_of(y, 6, chart.y.whole);
  double widest = 0;
  for (const double tick : y_ticks) widest = std::max(widest, text_width(short_number(tick)));
  const double left = 34 + widest, right = chart.width - kRight, bottom = kTop + chart.height;
  x.from = left;
  x.to = right;
  y.from = bottom;
  y.to = kTop;

  std::string axes, drawn, labels;
  double next_free = 0;
  for (const double tick : x_ticks) {
    const double at = x.at(tick), half = text_width(short_number(tick)) / 2;
    axes += concat("<path class=\"g\" d=\"M", fixed(at), " ", fixed(kTop), "V", fixed(bottom), "\"/>");
    if (at - half < next_free) continue;  // no space for its number
    axes += svg_text(std::min(at, chart.width - 2 - half), bottom + 16, short_number(tick));
    next_free = at + half + 6;
  }
  for (const double tick : y_ticks) {
    axes += concat("<path class=\"g\" d=\"M", fixed(left), " ", fixed(y.at(tick)), "H", fixed(right), "\"/>");
    axes += svg_text(left - 6, y.at(tick) + 4, short_number(tick), "end");
  }
  axes += concat("<path class=\"a\" d=\"M", fixed(left), " ", fixed(kTop), "V", fixed(bottom), "H", fixed(right), "\"/>\n");
  axes += svg_text((left + right) / 2, bottom + 35, chart.x.title);
  axes += svg_text(0, 0, chart.y.title, "middle",
                   concat(" transform=\"translate(14 ", fixed(kTop + chart.height / 2), ") rotate(-90)\""));

  Labels places(left, chart.width, kTop - 8, bottom);
  for (const Chart::Mark& mark : chart.marks) {
    if (!x.takes(mark.x)) continue;
    drawn += concat("<path class=\"a\" stroke-dasharray=\"2 3\" d=\"M", fixed(x.at(mark.x)), " ", fixed(kTop), "V",
                    fixed(bottom), "\"/>");
  }
  for (const Series& s : chart.series) {
    std::vector<std::pair<double, double>> at;
    for (const Point& point : s.points) {
      if (x.takes(point.x) && y.takes(point.y)) at.emplace_back(x.at(point.x), y.at(point.y));
    }
    if (at.empty()) continue;
    drawn += open_group(s);
    if (s.line && at.size() > 1) drawn += line_path(at, s);
    Series dots = s;
    if (at.size() == 1) dots.marker = std::max<int64_t>(0, s.marker);  // a single point draws no line, so it needs a marker
    const size_t every = s.line ? at.size() / 12 + 1 : 1;              // few markers on a line, so that they do not overlap
    for (size_t i = 0; dots.marker >= 0 && i < at.size(); i += every) {
      drawn += marker(dots, at[i].first, at[i].second, s.faint ? 3 : s.line || at.size() <= 30 ? 4 : 2);
      if (!s.faint) places.occupy(at[i].first, at[i].second, 5, 5);
    }
    drawn += "</g>\n";
  }
  for (const Chart::Mark& mark : chart.marks) {
    if (x.takes(mark.x)) labels += places.place(x.at(mark.x), kTop + 16, mark.label);
  }
  for (const Series& s : chart.series) {
    for (const Point& point : s.points) {
      if (point.label.empty() || !x.takes(point.x) || !y.takes(point.y)) continue;
      labels += places.place(x.at(point.x), y.at(point.y), point.label);
    }
  }
  double end = bottom + 58;
  const std::string entries = legend(chart.series, left, chart.width, end);
  return svg_begin(chart.width, end + 8, chart.title, chart.alt) + axes + drawn + labels + entries + "</svg>";
}

std::string svg(const Bars& chart) {
  double high = 0;
  for (const Bars::Bar& bar : chart.bars) {
    if (std::isfinite(bar.value)) high = std::max({high, bar.value, bar.expected});
  }
  const Scale y{false, 0, high > 0 ? 1.12 * high : 1, kTop + kPlot, kTop};
  const std::vector<double> y_ticks = ticks(0, y.high, 6);
  double widest = 0;
  for (const double tick : y_ticks) widest = std::max(widest, text_width(short_number(tick)));
  const double left = 34 + widest, right = kWidth - kRight, bottom = kTop + kPlot;
  constexpr size_t kLetters = 18;  // of a steep name
  double names = 0;                // the height of steep names
  for (const Bars::Bar& bar : chart.bars) {
    if (chart.steep) names = std::max(names, text_width(shortened(bar.name, kLetters)) - 8);
  }
  std::string out = svg_begin(kWidth, bottom + 44 + names, chart.title, chart.alt);
  for (const double tick : y_ticks) {
    out += concat("<path class=\"g\" d=\"M", fixed(left), " ", fixed(y.at(tick)), "H", fixed(right), "\"/>");
    out += svg_text(left - 6, y.at(tick) + 4, short_number(tick), "end");
  }
  const double slot = (right - left) / static_cast<double>(std::max<size_t>(1, chart.bars.size()));
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const Bars::Bar& bar = chart.bars[i];
    const double value = std::isfinite(bar.value) ? std::max(0.0, bar.value) : 0,
                 middle = left + slot * (static_cast<double>(i) + 0.5);
    const double half = std::min(0.38 * slot, 40.0), top = y.at(value);
    out += concat("<g class=\"s\" style=\"--l:", bar.colour.light, ";--d:", bar.colour.dark,
                  "\"><rect fill=\"currentColor\" x=\"", fixed(middle - half), "\" y=\"", fixed(top), "\" width=\"",
                  fixed(2 * half), "\" height=\"", fixed(bottom - top), "\"/></g>");
    double above = top;
    if (bar.expected >= 0) {
      above = std::min(above, y.at(bar.expected));
      for (const char* layer : {"h", "e"}) {  // a rim below the line makes it visible on a bar of any colour
        out += concat("<path class=\"", layer, "\" d=\"M", fixed(middle - half - 5), " ", fixed(y.at(bar.expected)), "h",
                      fixed(2 * half + 10), "\"/>");
      }
    }
    out += svg_text(middle, above - 6, bar.label.empty() ? short_number(value) : bar.label, "middle", " class=\"n\"");
    if (chart.steep) {
      out += svg_text(0, 0, shortened(bar.name, kLetters), "end",
                      concat(" transform=\"translate(", fixed(middle + 4), " ", fixed(bottom + 8), ") rotate(-90)\""));
    } else {
      out += svg_text(middle, bottom + 16, bar.name);
    }
  }
  out += concat("<path class=\"a\" d=\"M", fixed(left), " ", fixed(kTop), "V", fixed(bottom), "H", fixed(right), "\"/>\n");
  out += svg_text((left + right) / 2, bottom + 35 + names, chart.x);
  out += svg_text(0, 0, chart.y, "middle", concat(" transform=\"translate(14 ", fixed(kTop + kPlot / 2), ") rotate(-90)\""));
  return out + "</svg>";
}

}  // namespace hv::train
