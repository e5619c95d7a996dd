#include <cmath>

#include "tests/ops/cases.h"

namespace hv::test {
namespace {

// For each image `k` of its tokens, in no order; some repeat, some are never there.
std::vector<int64_t> picks(const Shape& x, int64_t k) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < x[0] * k; ++i) index.push_back((7 * i * i + 3 * i / k + 2) % x[1]);
  return index;
}

OpRow gathering(int64_t k, const std::vector<std::vector<Shape>>& shapes, const std::vector<std::vector<Shape>>& large = {}) {
  return {concat("gather_tokens, ", k, " per image"),
          shapes,
          [k](const Tensors& t) { return gather_tokens(t[0], picks(t[0].shape(), k), k); },
          [k](const Arrays& a) {
            const std::vector<int64_t> index = picks(a[0].shape, k);
            return moved(a[0], {a[0].shape[0], k, a[0].shape[2]}, [&](const Dims& i) {
              return Dims{i[0], index[static_cast<size_t>(i[0] * k + i[1])], i[2]};
            });
          },
          -2,
          2,
          large};
}

// Where result i of `to` lies between `from` pixels, in PyTorch's words: align_corners, or half-pixel centres clamped at 0.
double source(int64_t i, int64_t from, int64_t to, bool align_corners) {
  const double at = static_cast<double>(i), n = static_cast<double>(from), m = static_cast<double>(to);
  if (!align_corners) return std::max((at + 0.5) * n / m - 0.5, 0.0);
  return to == 1 ? 0 : at * (n - 1) / (m - 1);
}

Array resized(const Array& x, int64_t height, int64_t width, bool align_corners) {
  Array y({x.shape[0], x.shape[1], height, width});
  for_index(y.shape, [&](const Dims& i) {
    const double row = source(i[2], x.shape[2], height, align_corners), col = source(i[3], x.shape[3], width, align_corners);
    for (int64_t r = 0; r < x.shape[2]; ++r) {  // a tent around each pixel; beyond the last one its value stays
      const double last_row = static_cast<double>(x.shape[2] - 1), last_col = static_cast<double>(x.shape[3] - 1);
      const double vertical = std::max(0.0, 1 - std::abs(std::min(row, last_row) - static_cast<double>(r)));
      for (int64_t c = 0; c < x.shape[3] && vertical > 0; ++c) {
        const double horizontal = std::max(0.0, 1 - std::abs(std::min(col, last_col) - static_cast<double>(c)));
        if (horizontal > 0) y(i) += vertical * horizontal * x({i[0], i[1], r, c});
      }
    }
  });
  return y;
}

OpRow resizing(int64_t height, int64_t width, bool align_corners) {
  return {concat("resize_bilinear to ", height, " x ", width, align_corners ? ", corners aligned" : ""),
          {{{2, 2, 3, 4}}, {{1, 1, 5, 1}}, {{1, 2, 1, 1}}, {{0, 2, 2, 2}}},
          [=](const Tensors& t) { return resize_bilinear(t[0], height, width, align_corners); },
          [=](const Arrays& a) { return resized(a[0], height, width, align_corners); },
          -2,
          2,
          height == 6 ? std::vector<std::vector<Shape>>{{{30, 3, 32, 32}}} : std::vector<std::vector<Shape>>{}};
}

}  // namespace

std::vector<OpRow> token_rows() {
  std::vector<OpRow> rows{gathering(3, {{{2, 4, 3}}, {{3, 1, 2}}, {{1, 5, 1}}, {{0, 2, 3}}, {{2, 3, 0}}}, {{{40, 65, 24}}}),
                          gathering(1, {{{2, 3, 2}}}), gathering(0, {{{2, 3, 2}}, {{2, 0, 2}}})};
  for (const bool align_corners : {false, true}) {
    for (const auto& [height, width] : {std::pair{6, 7}, {2, 3}, {1, 1}, {3, 4}}) {
      rows.push_back(resizing(height, width, align_corners));
    }
  }
  rows.push_back(
      {"resize_bilinear of a table of positions",
       {{{1, 2, 3, 2}}},
       [](const Tensors& t) {
         return resize_bilinear(t[0].permute({0, 3, 1, 2}), 3, 4, true).permute({0, 2, 3, 1});
       },
       [](const Arrays& a) {
         const Array planes = moved(a[0], {1, 2, 2, 3}, [](const Dims& i) { return Dims{i[0], i[2], i[3], i[1]}; });
         return moved(resized(planes, 3, 4, true), {1, 3, 4, 2}, [](const Dims& i) { return Dims{i[0], i[3], i[1], i[2]}; });
       }});
  return rows;
}

}  // namespace hv::test
