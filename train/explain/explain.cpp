#include "train/explain/explain.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "core/check.h"

// The warnings of an outside library are switched off, because we do not change its code.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <stb/stb_easy_font.h>
#pragma GCC diagnostic pop

namespace hv::train {
namespace {

constexpr int64_t kScale = 2, kLine = 12 * kScale;  // stb_easy_font's lines are 12 pixels apart
constexpr double kOpacity = 0.6;

data::Image blank(int64_t height, int64_t width, uint8_t grey) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(3 * height * width), grey)};
}

uint8_t* row_of(data::Image& image, int64_t channel, int64_t y) {
  return image.chw.data() + (channel * image.height + y) * image.width;
}
const uint8_t* row_of(const data::Image& image, int64_t channel, int64_t y) {
  return image.chw.data() + (channel * image.height + y) * image.width;
}

uint8_t byte(double x) { return static_cast<uint8_t>(std::lround(std::clamp(x, 0.0, 255.0))); }

// OKLab to sRGB (Ottosson 2020, "A perceptual color space for image processing"): a matrix, cubes, a matrix, the sRGB curve.
std::array<uint8_t, 3> from_oklab(double lightness, double a, double b) {
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  const auto curve = [](double x) { return byte(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055)); };
  return {curve(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          curve(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          curve(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

// Where the centre of pixel i of `to` pixels lies among `from` cells: after the centre of cell `first`, `share` (0 to 1) of the
// distance to the centre of cell `second`.
struct Between {
  int64_t first, second;
  double share;
};
Between between(int64_t i, int64_t to, int64_t from) {
  const double at = std::clamp((static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5, 0.0,
                               static_cast<double>(from - 1));
  const auto first = static_cast<int64_t>(at);
  return {first, std::min(first + 1, from - 1), at - static_cast<double>(first)};
}

void paste(data::Image& onto, const data::Image& image, int64_t top, int64_t left) {
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < image.height; ++y) {
      std::memcpy(row_of(onto, c, top + y) + left, row_of(image, c, y), static_cast<size_t>(image.width));
    }
  }
}

int64_t text_width(std::string text) { return kScale * stb_easy_font_width(text.data()); }

// Makes one line of printable ASCII that is at most `width` pixels wide. The font has only these characters, and for any other
// it would read outside its tables.
std::string fitting(const std::string& line, int64_t width) {
  std::string text;
  for (const char c : line) {
    if ((c & 0xc0) != 0x80) text += c >= 32 && c < 127 ? c : '?';  // one '?' for all bytes of a UTF-8 character
  }
  if (text_width(text) <= width) return text;
  while (!text.empty() && text_width(text + "..") > width) text.pop_back();
  return text + "..";
}

void draw_text(data::Image& onto, int64_t top, int64_t left, std::string text) {
  struct Corner {
    float x, y, z;
    uint8_t colour[4];
  };
  std::vector<Corner> corners(text.size() * 64 + 4);  // a character has fewer than 16 strokes of 4 corners
  const int room = static_cast<int>(corners.size() * sizeof(Corner));
  const auto strokes = static_cast<size_t>(stb_easy_font_print(0, 0, text.data(), nullptr, corners.data(), room));
  for (size_t i = 0; i < strokes; ++i) {
    const Corner &first = corners[4 * i], &last = corners[4 * i + 2];
    const auto pixel = [](float at, int64_t from, int64_t limit) {
      return std::clamp(from + static_cast<int64_t>(at) * kScale, int64_t{0}, limit);
    };
    for (int64_t y = pixel(first.y, top, onto.height); y < pixel(last.y, top, onto.height); ++y) {
      const int64_t begin = pixel(first.x, left, onto.width), end = std::max(begin, pixel(last.x, left, onto.width));
      for (int64_t c = 0; c < 3; ++c) std::fill(row_of(onto, c, y) + begin, row_of(onto, c, y) + end, uint8_t{0});
    }
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

Heat heat_of(const Tensor& rollout, int64_t image) {
  HV_CHECK(rollout.rank() == 3, "heat: expected [B, rows, columns], found ", rollout.shape());
  return {rollout.size(1), rollout.size(2), rollout.select(0, image).to_vector()};
}

std::array<uint8_t, 3> heat_colour(double share) {
  const double t = std::clamp(share, 0.0, 1.0);
  const double hue = (270 + 195 * t) * std::numbers::pi / 180, chroma = 0.165;  // the largest chroma at which all are in sRGB
  return from_oklab(0.25 + 0.65 * t, chroma * std::cos(hue), chroma * std::sin(hue));
}

data::Image overlay(const data::Image& image, const Heat& heat, double low, double high) {
  HV_CHECK(heat.rows > 0 && heat.columns > 0 && static_cast<int64_t>(heat.values.size()) == heat.rows * heat.columns,
           "overlay: ", heat.values.size(), " values, expected ", heat.rows, " x ", heat.columns);
  data::Image out = blank(image.height, image.width, 0);
  const auto value = [&](int64_t row, int64_t column) { return heat.values[static_cast<size_t>(row * heat.columns + column)]; };
  for (int64_t y = 0; y < image.height; ++y) {
    const Between v = between(y, image.height, heat.rows);
    for (int64_t x = 0; x < image.width; ++x) {
      const Between h = between(x, image.width, heat.columns);
      const double here = std::lerp(std::lerp(value(v.first, h.first), value(v.first, h.second), h.share),
                                    std::lerp(value(v.second, h.first), value(v.second, h.second), h.share), v.share);
      const std::array<uint8_t, 3> colour = heat_colour(high > low ? (here - low) / (high - low) : 0);
      const double grey = 0.299 * row_of(image, 0, y)[x] + 0.587 * row_of(image, 1, y)[x] + 0.114 * row_of(image, 2, y)[x];
      for (int64_t c = 0; c < 3; ++c)
        row_of(out, c, y)[x] = byte(std::lerp(grey, double(colour[static_cast<size_t>(c)]), kOpacity));
    }
  }
  return out;
}

data::Image overlay(const data::Image& image, const Heat& heat) {
  HV_CHECK(!heat.values.empty(), "overlay: no heat");
  const auto [low, high] = std::minmax_element(heat.values.begin(), heat.values.end());
  return overlay(image, heat, *low, *high);
}

data::Image darkened(const data::Image& image, const Heat& kept) {
  HV_CHECK(kept.rows > 0 && kept.columns > 0 && static_cast<int64_t>(kept.values.size()) == kept.rows * kept.columns,
           "darkened: ", kept.values.size(), " values, expected ", kept.rows, " x ", kept.columns);
  constexpr double kDark = 0.2;
  data::Image out = image;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const int64_t cell = y * kept.rows / image.height * kept.columns + x * kept.columns / image.width;
      if (kept.values[static_cast<size_t>(cell)] != 0) continue;
      for (int64_t c = 0; c < 3; ++c) row_of(out, c, y)[x] = byte(kDark * row_of(image, c, y)[x]);
    }
  }
  return out;
}

data::Image enlarge(const data::Image& image, int64_t side) {
  const int64_t shorter = std::min(image.height, image.width), times = (side + shorter - 1) / std::max<int64_t>(1, shorter);
  HV_CHECK(shorter > 0, "enlarge: empty picture");
  if (times <= 1) return image;
  data::Image out = blank(image.height * times, image.width * times, 0);
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < out.height; ++y) {
      for (int64_t x = 0; x < out.width; ++x) row_of(out, c, y)[x] = row_of(image, c, y / times)[x / times];
    }
  }
  return out;
}

data::Image panel(const std::vector<std::vector<Captioned>>& rows, int64_t gap) {
  int64_t height = 0, width = 0, columns = 0, lines = 0;  // of the largest cell, the longest row, the longest caption
  for (const auto& row : rows) {
    columns = std::max(columns, static_cast<int64_t>(row.size()));
    for (const Captioned& cell : row) {
      height = std::max(height, cell.image.height);
      width = std::max(width, cell.image.width);
      lines = std::max(lines, static_cast<int64_t>(lines_of(cell.caption).size()));
    }
  }
  HV_CHECK(columns > 0, "panel: no pictures");
  const int64_t step_y = height + lines * kLine + gap, step_x = width + gap;
  data::Image out = blank(static_cast<int64_t>(rows.size()) * step_y + gap, columns * step_x + gap, 255);
  int64_t top = gap;
  for (const auto& row : rows) {
    int64_t left = gap;
    for (const Captioned& cell : row) {
      paste(out, cell.image, top, left);
      int64_t at = top + height + kScale * 2;
      for (const std::string& line : lines_of(cell.caption)) {
        draw_text(out, at, left, fitting(line, width));
        at += kLine;
      }
      left += step_x;
    }
    top += step_y;
  }
  return out;
}

data::Image colour_key(int64_t width, const std::string& cold, const std::string& hot) {
  data::Image out = blank(2 * kLine, width, 255);
  const int64_t bar = std::min<int64_t>(width / 3, 256), left = (width - bar) / 2, space = left - kLine;
  const std::string before = fitting(cold, space), after = fitting(hot, space);
  draw_text(out, kLine / 2, left - text_width(before) - kLine / 2, before);
  draw_text(out, kLine / 2, left + bar + kLine / 2, after);
  for (int64_t x = 0; x < bar; ++x) {
    const std::array<uint8_t, 3> colour =
        heat_colour(static_cast<double>(x) / static_cast<double>(std::max<int64_t>(1, bar - 1)));
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t y = kLine / 4; y < kLine * 5 / 4; ++y) row_of(out, c, y)[left + x] = colour[static_cast<size_t>(c)];
    }
  }
  return out;
}

data::Image stack(const data::Image& above, const data::Image& below) {
  HV_CHECK(above.width == below.width, "stack: widths differ: ", above.width, " and ", below.width);
  data::Image out = blank(above.height + below.height, above.width, 255);
  paste(out, above, 0, 0);
  paste(out, below, above.height, 0);
  return out;
}

}  // namespace hv::train
