#include "train/draw/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "core/check.h"
#include "train/draw/html.h"

namespace hv::train {
namespace {

// Every rule begins with .hv, so that the block does not change the page around the chart. A series has its two colours in its
// own style attribute.
constexpr const char* kStyle =
    "<style>.hv .bg{fill:#fff}.hv text{fill:#24292f;font:12px system-ui,sans-serif}.hv .t{font-weight:600;font-size:13px}"
    ".hv .n{stroke:#fff;stroke-width:3px;paint-order:stroke;font-size:11px}.hv .g{stroke:#d8dee4;fill:none}"
    ".hv .a{stroke:#57606a;fill:none}.hv .s{color:var(--l)}.hv .o{fill:#fff}.hv .e{stroke:#24292f;stroke-width:2}.hv "
    ".h{stroke:#fff;stroke-width:5}"
    "@media(prefers-color-scheme:dark){.hv .bg{fill:#16191d}.hv text{fill:#e6e9ec}.hv .n{stroke:#16191d}.hv .g{stroke:#363c44}"
    ".hv .a{stroke:#9aa4af}.hv .s{color:var(--d)}.hv .o{fill:#16191d}.hv .e{stroke:#e6e9ec}.hv .h{stroke:#16191d}}</style>";

std::array<double, 3> channels(const std::string& colour) {
  const long value = std::strtol(colour.c_str() + 1, nullptr, 16);
  return {static_cast<double>(value >> 16), static_cast<double>((value >> 8) & 255), static_cast<double>(value & 255)};
}

// The colour at position `at` (0 to 1) of a ramp through three colours.
std::string blend(const std::array<const char*, 3>& stops, double at) {
  const size_t first = at < 0.5 ? 0 : 1;
  const std::array<double, 3> a = channels(stops[first]), b = channels(stops[first + 1]);
  const double share = 2 * at - static_cast<double>(first);
  std::array<int, 3> mixed{};
  for (size_t c = 0; c < 3; ++c) mixed[c] = static_cast<int>(std::lround(a[c] + share * (b[c] - a[c])));
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", mixed[0] & 255, mixed[1] & 255, mixed[2] & 255);
  return text;
}

}  // namespace

// Lightness falls from the first colour to the last, on white and on dark pages.
Colour ramp_colour(int64_t i, int64_t n) {
  const double at = n > 1 ? static_cast<double>(i) / static_cast<double>(n - 1) : 0;
  return {blend({"#d97a00", "#b0307a", "#2d0a5e"}, at), blend({"#ffe08a", "#f2728c", "#8f7bf2"}, at)};
}

// The colours of Okabe and Ito (2008, "Color universal design"); the pale ones are darkened for white pages.
Colour group_colour(int64_t i) {
  static const std::vector<Colour> colours = {{"#0072b2", "#56b4e9"}, {"#c14f00", "#ff9d4d"}, {"#00805c", "#2fc79b"},
                                              {"#a8447e", "#e79cc6"}, {"#6b6100", "#f0e442"}, {"#444444", "#cccccc"}};
  return colours[static_cast<size_t>(i) % colours.size()];
}

std::string fixed(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f", std::clamp(value, -1e6, 1e6));
  return text;
}

double text_width(const std::string& text, double size) {
  // The number of UTF-8 characters: bytes 10xxxxxx continue a character.
  const auto letters = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  return 0.58 * size * static_cast<double>(letters);
}

std::string shortened(const std::string& name, size_t letters) {
  if (name.size() <= letters) return name;
  size_t end = letters - 1;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;  // do not cut inside a UTF-8 character
  return name.substr(0, end) + "\xe2\x80\xa6";
}

std::string short_number(double value) {
  const char* unit = "";
  for (const char* next : {" k", " M", " G", " T"}) {
    if (std::abs(value) < 9999.5 && *unit == 0) break;
    if (std::abs(value) < 999.5) break;
    value /= 1000;
    unit = next;
  }
  char text[40];
  std::snprintf(text, sizeof text, "%.4g%s", value, unit);
  return text;
}

std::vector<double> ticks(double low, double high, int wanted) {
  if (!std::isfinite(low) || !std::isfinite(high) || high <= low || wanted < 1) return {};
  const double rough = (high - low) / wanted, power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> result;
  for (double k = std::ceil(low / step - 1e-6); k * step <= high + 1e-6 * step && result.size() < 100; ++k)
    result.push_back(k * step + 0.0);
  return result;
}

std::vector<double> log_ticks(double low, double high) {
  std::vector<double> result;
  if (!(low > 0) || !std::isfinite(high) || high <= low) return result;
  const bool wide = std::log10(high / low) > 3;  // then only powers of ten are ticks
  for (double power = std::floor(std::log10(low)); power <= std::ceil(std::log10(high)); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10, power);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9) && (factor == 1 || !wide)) result.push_back(tick);
    }
  }
  return result;
}

std::string svg_begin(double width, double height, const std::string& title, const std::string& alt) {
  return concat("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hv\" role=\"img\" viewBox=\"0 0 ", fixed(width), " ",
                fixed(height), "\" aria-label=\"", escape(title + ". " + alt), "\">", kStyle,
                "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n", svg_text(8, 18, title, "start", " class=\"t\""));
}

std::string svg_text(double x, double y, const std::string& text, const std::string& anchor, const std::string& more) {
  return concat("<text x=\"", fixed(x), "\" y=\"", fixed(y), "\" text-anchor=\"", anchor, "\"", more, ">", escape(text),
                "</text>\n");
}

}  // namespace hv::train
