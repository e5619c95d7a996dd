#include "train/draw/matrix.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "train/draw/plot.h"

namespace hv::train {
namespace {

constexpr int64_t kDrawn = 100;  // the cells of a larger matrix would be too small to see

}  // namespace

std::string svg(const Matrix& matrix, const std::vector<std::string>& names) {
  const int64_t n = matrix.size;
  if (n > kDrawn || n == 0) return "";
  const bool named = n <= 20;
  double widest = 24;
  for (const std::string& name : names) {
    if (named) widest = std::max(widest, text_width(shortened(name, 14)));
  }
  const double left = 40 + widest, top = 40, side = 460 - 12 - left, cell = side / static_cast<double>(n), bottom = top + side;
  std::string out = svg_begin(460, bottom + (named ? widest + 30 : 40), matrix.title, matrix.alt);
  const Colour colour = group_colour(0);
  std::string cells = concat("<g class=\"s\" fill=\"currentColor\" style=\"--l:", colour.light, ";--d:", colour.dark, "\">"),
              texts;
  size_t next = 0;  // of the cells, which are in the order of the rows
  for (int64_t a = 0; a < n; ++a) {
    for (; next < matrix.cells.size() && matrix.cells[next].row == a; ++next) {
      const Matrix::Cell& one = matrix.cells[next];
      if (!std::isfinite(one.share)) continue;
      const double x = left + cell * static_cast<double>(one.column), y = top + cell * static_cast<double>(a);
      cells += concat("<rect x=\"", fixed(x), "\" y=\"", fixed(y), "\" width=\"", fixed(cell), "\" height=\"", fixed(cell),
                      "\" fill-opacity=\"",
                      static_cast<double>(static_cast<int64_t>(65 * std::clamp(one.share, 0.03, 1.0))) / 100, "\"/>");
      if (named) texts += svg_text(x + cell / 2, y + cell / 2 + 4, one.text);
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
  out += svg_text(left + side / 2, bottom + (named ? widest + 22 : 34), matrix.columns);
  out += svg_text(0, 0, matrix.rows, "middle", concat(" transform=\"translate(14 ", fixed(top + side / 2), ") rotate(-90)\""));
  return out + texts + "</svg>";
}

std::string svg(const Confusion& confusion, const std::vector<std::string>& names, const std::string& title) {
  if (confusion.classes > kDrawn || confusion.classes == 0) return "";
  Matrix matrix{title, "", "true class", "predicted class", confusion.classes, {}};
  for (const Confusion::Pair& pair : confusion.pairs) {
    matrix.alt += concat(matrix.alt.empty() ? "most confused: " : ", ", names[static_cast<size_t>(pair.label)], " taken for ",
                         names[static_cast<size_t>(pair.predicted)], " ", pair.count, " times");
    if (&pair - confusion.pairs.data() >= 2) break;
  }
  std::vector<int64_t> totals(static_cast<size_t>(confusion.classes));  // of the rows
  for (const Confusion::Pair& one : confusion.cells) totals[static_cast<size_t>(one.label)] += one.count;
  for (const Confusion::Pair& one : confusion.cells) {
    const double total = static_cast<double>(totals[static_cast<size_t>(one.label)]);
    matrix.cells.push_back({one.label, one.predicted, static_cast<double>(one.count) / total, concat(one.count)});
  }
  return svg(matrix, names);
}

}  // namespace hv::train
