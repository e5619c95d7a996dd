#include "tests/ops/cases.h"

namespace hv::test {
namespace {

Dims put(Dims index, int dim, int64_t value) {
  index[dim] = value;
  return index;
}
Dims shifted(Dims index, int dim, int64_t by) {
  index[dim] += by;
  return index;
}
Dims inserted(Dims index, int dim, int64_t value) {
  index.insert(dim, value);
  return index;
}
Dims without(Dims index, int dim) {
  index.erase(dim);
  return index;
}

// A row whose twin moves elements: y(i) = x(where(i)).
OpRow mover(const std::string& name, const Shape& from, const Shape& to, const std::function<Tensor(const Tensor&)>& op,
            const std::function<Dims(const Dims&)>& where) {
  return {name, {{from}}, [op](const Tensors& t) { return op(t[0]); }, [=](const Arrays& a) { return moved(a[0], to, where); }};
}

Dims unravel(int64_t place, const Shape& shape) {
  Dims index = Dims::filled(shape.size(), 0);
  for (int d = shape.size() - 1; d >= 0; place /= shape[d--]) index[d] = place % shape[d];
  return index;
}
int64_t ravel(const Dims& index, const Shape& shape) {
  int64_t place = 0;
  for (int d = 0; d < shape.size(); ++d) place = place * shape[d] + index[d];
  return place;
}

OpRow reshaped(const Shape& from, const Shape& to) {
  return mover(
      concat("reshape ", from, " to ", to), from, to, [to](const Tensor& x) { return x.reshape(to); },
      [=](const Dims& i) { return unravel(ravel(i, to), from); });
}

}  // namespace

std::vector<OpRow> view_rows() {
  return {
      mover(
          "slice", {4, 3, 2}, {2, 3, 2}, [](const Tensor& x) { return x.slice(0, 1, 3); },
          [](const Dims& i) { return shifted(i, 0, 1); }),
      mover(
          "slice to nothing", {4, 3}, {4, 0}, [](const Tensor& x) { return x.slice(1, 2, 2); },
          [](const Dims& i) { return i; }),
      mover(
          "select", {4, 3, 2}, {4, 2}, [](const Tensor& x) { return x.select(1, -1); },
          [](const Dims& i) { return inserted(i, 1, 2); }),
      mover(
          "index", {4, 3, 5}, {4, 2},
          [](const Tensor& x) {
            return x(all, 1, Range{2, 4});
          },
          [](const Dims& i) {
            return Dims{i[0], 1, i[1] + 2};
          }),
      mover(
          "transpose", {4, 3, 2}, {2, 3, 4}, [](const Tensor& x) { return x.transpose(0, -1); },
          [](const Dims& i) {
            return Dims{i[2], i[1], i[0]};
          }),
      mover(
          "permute", {2, 3, 4, 2}, {4, 2, 2, 3},
          [](const Tensor& x) {
            return x.permute({2, 0, 3, 1});
          },
          [](const Dims& i) {
            return Dims{i[1], i[3], i[0], i[2]};
          }),
      mover(
          "expand", {3, 1}, {2, 3, 4},
          [](const Tensor& x) {
            return x.expand({2, 3, 4});
          },
          [](const Dims& i) {
            return Dims{i[1], 0};
          }),
      mover(
          "expand a scalar", {}, {2, 2},
          [](const Tensor& x) {
            return x.expand({2, 2});
          },
          [](const Dims&) { return Dims{}; }),
      mover(
          "squeeze", {3, 1, 2}, {3, 2}, [](const Tensor& x) { return x.squeeze(1); },
          [](const Dims& i) { return inserted(i, 1, 0); }),
      mover(
          "unsqueeze", {3, 2}, {3, 2, 1}, [](const Tensor& x) { return x.unsqueeze(-1); },
          [](const Dims& i) { return without(i, 2); }),
      mover(
          "clone", {3, 2, 4}, {3, 2, 4}, [](const Tensor& x) { return x.clone(); }, [](const Dims& i) { return i; }),
      mover(
          "contiguous", {3, 2, 4}, {3, 2, 4}, [](const Tensor& x) { return x.contiguous(); }, [](const Dims& i) { return i; }),
      reshaped({2, 3, 4}, {6, 4}),
      reshaped({2, 3, 4}, {4, 6}),
      reshaped({4, 6}, {2, 2, 3, 2}),
      reshaped({2, 1, 6}, {12}),
      reshaped({2, 0, 3}, {0, 5}),
  };
}

std::vector<OpRow> moving_rows() {
  std::vector<OpRow> rows;
  for (int dim : {0, 1, -1}) {
    std::vector<std::vector<Shape>> shapes;
    for (const Shape& base : {Shape{2, 3, 4}, Shape{1, 2, 1}, Shape{2, 3, 2, 2}}) {
      shapes.push_back({base, put(base, dim, 1), put(base, dim, 3)});
      shapes.push_back({base, base});
      shapes.push_back({put(base, dim, 0), base});
    }
    rows.push_back({concat("cat along ", dim),
                    shapes,
                    [dim](const Tensors& t) { return hv::cat(t, dim); },
                    [dim](const Arrays& a) { return cat(a, dim); },
                    -2,
                    2,
                    {{{70, 30, 20}, {70, 30, 20}}}});
    rows.push_back({concat("stack along ", dim),
                    {{{2, 3}, {2, 3}, {2, 3}}, {{1, 2, 2}, {1, 2, 2}}, {{0, 2}, {0, 2}}},
                    [dim](const Tensors& t) { return stack(t, dim); },
                    [dim](const Arrays& a) {
                      Shape shape = a[0].shape;
                      const int at = dim < 0 ? shape.size() : dim;
                      shape.insert(at, static_cast<int64_t>(a.size()));
                      Array y(shape);
                      for_index(shape, [&](const Dims& i) { y(i) = a[static_cast<size_t>(i[at])](without(i, at)); });
                      return y;
                    }});
    static const std::vector<int64_t> picks = {1, 0, 1, 1};  // a repeat: its gradients add
    rows.push_back({concat("index_select along ", dim),
                    {{{2, 3, 2}}, {{3, 3, 3}}, {{2, 2, 2, 3}}, {{4, 2}}},
                    [dim](const Tensors& t) { return index_select(t[0], dim, picks); },
                    [dim](const Arrays& a) {
                      return moved(a[0], put(a[0].shape, dim, 4),
                                   [dim](const Dims& i) { return put(i, dim, picks[static_cast<size_t>(i[dim])]); });
                    }});
  }
  rows.push_back({"index_select of nothing",
                  {{{2, 3}}},
                  [](const Tensors& t) { return index_select(t[0], 0, {}); },
                  [](const Arrays&) {
                    return Array({0, 3});
                  }});
  static const std::vector<int64_t> columns = {2, 0, 2};
  rows.push_back({"gather_rows",
                  {{{3, 4}}, {{3, 3}}},
                  [](const Tensors& t) { return gather_rows(t[0], columns); },
                  [](const Arrays& a) {
                    return moved(a[0], {3}, [](const Dims& i) { return Dims{i[0], columns[static_cast<size_t>(i[0])]}; });
                  }});
  rows.push_back({"patchify",
                  {{{2, 3, 4, 6}}, {{1, 1, 2, 2}}, {{0, 2, 4, 4}}},
                  [](const Tensors& t) { return patchify(t[0], 2); },
                  [](const Arrays& a) {
                    const Shape& s = a[0].shape;
                    const int64_t across = s[3] / 2;
                    return moved(a[0], {s[0], s[2] / 2 * across, s[1] * 4}, [=](const Dims& i) {
                      return Dims{i[0], i[2] / 4, i[1] / across * 2 + i[2] % 4 / 2, i[1] % across * 2 + i[2] % 2};
                    });
                  },
                  -2,
                  2,
                  {{{20, 3, 32, 32}}}});
  return rows;
}

}  // namespace hv::test
