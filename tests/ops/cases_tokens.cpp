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

}  // namespace

std::vector<OpRow> token_rows() {
  std::vector<OpRow> rows{gathering(3, {{{2, 4, 3}}, {{3, 1, 2}}, {{1, 5, 1}}, {{0, 2, 3}}, {{2, 3, 0}}}, {{{40, 65, 24}}}),
                          gathering(1, {{{2, 3, 2}}}), gathering(0, {{{2, 3, 2}}, {{2, 0, 2}}})};
  return rows;
}

}  // namespace hv::test
