#include "train/draw/matrix.h"

#include <algorithm>

#include "core/check.h"
#include "train/draw/plot.h"

namespace hv::train {
namespace {

constexpr int64_t kDrawn = 100;  // classes; the cells of a larger matrix would be too small to see

std::string shortened(const std::string& name, size_t letters) {
  if (name.size() <= letters) return name;
  size_t end = letters - 1;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;  // do not cut inside a UTF-8 character
  return name.substr(0, end) + "\xe2\x80\xa6";
}

}  // namespace

std::string svg(const Confusion& confusion, const std::vector<std::string>& names, const std::string& title) {
  const int64_t n = confusion.classes;
  if (n > kDrawn || n == 0) return "";
  const bool named = n <= 20;
  double widest = 24;
  for (const std::string& name : names) {
    if (named) widest = std::max(widest, text_width(shortened(name, 14)));
  }
  const double left = 40 + widest, top = 40, side = 460 - 12 - left, cell = side / static_cast<double>(n), bottom = top + side;
  std::string alt;
  for (const Confusion::Pair& pair : confusion.pairs) {
    alt += concat(alt.empty() ? "most confused: " : ", ", names[static_cast<size_t>(pair.label)], " taken for ",
                  names[static_cast<size_t>(pair.predicted)], " ", pair.count, " times");
    if (&pair - confusion.pairs.data() >= 2) break;
  }
  std::string out = svg_begin(460, bottom + (named ? widest + 30 : 40), title, alt);
  const Colour colour = group_colour(0);
  std::string cells = concat("<g class=\"s\" fill=\"currentColor\" style=\"--l:", colour.light, ";--d:", colour.dark, "\">"),
              texts;
  std::vector<int64_t> totals(static_cast<size_t>(n));  // of the rows
  for (const Confusion::Pair& one : confusion.cells) totals[static_cast<size_t>(one.label)] += one.count;
  size_t next = 0;  // of the cells, which are in the order of the rows
  for (int64_t a = 0; a < n; ++a) {
    for (; next < confusion.cells.size() && confusion.cells[next].label == a; ++next) {
      const int64_t b = confusion.cells[next].predicted, count = confusion.cells[next].count,
                    total = totals[static_cast<size_t>(a)];
      const double share = static_cast<double>(count) / static_cast<double>(total);
      const double x = left + cell * static_cast<double>(b), y = top + cell * static_cast<double>(a);
      cells +=
          concat("<rect x=\"", fixed(x), "\" y=\"", fixed(y), "\" width=\"", fixed(cell), "\" height=\"", fixed(cell),
                 "\" fill-opacity=\"", static_cast<double>(static_cast<int64_t>(65 * std::max(share, 0.03))) / 100, "\"/>");
      if (named) texts += svg_text(x + cell / 2, y + cell / 2 + 4, concat(count));
    }
    const double middle = cell * (static_cast<double>(a) + 0.5);
    if (named) {
      const std::string name = shortened(names[static_cast<size_t>(a)], 14);
      texts += svg_text(left - 6, top + middle + 4, name, "end");
      texts += svg_text(0, 0, name, "end",
                        concat(" transform=\"translate(", fixed(left + middle + 4), " ", fixed(bottom + 8), ") rotate(-90)\""));
    } else if (a % (n > 50 ? 20 : 10) == 0) {
      texts += svg_text(left - 6, top + middle + 4, concat(a), "end") + svg_text(left + middle, bottom + 16, concat(a));
    }
  }
  out += cells + "</g>\n" +
         concat("<rect class=\"a\" x=\"", fixed(left), "\" y=\"", fixed(top), "\" width=\"", fixed(side), "\" height=\"",
                fixed(side), "\"/>\n");
  out += svg_text(left + side / 2, bottom + (named ? widest + 22 : 34), "predicted class");
  out += svg_text(0, 0, "true class", "middle", concat(" transform=\"translate(14 ", fixed(top + side / 2), ") rotate(-90)\""));
  return out + texts + "</svg>";
}

}  // namespace hv::train
