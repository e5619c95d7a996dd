#include "core/ops/attention_maps.h"
#include "tests/ops/cases.h"

namespace hv::test {
namespace {

constexpr double kEps = 1e-6;

using Shapes = std::vector<std::vector<Shape>>;

// attention's result y for heads of 2, with `change` [B, heads, T, T] added to the maps.
Array add_mapped(Array y, const Array& qkv, const Array& change, bool stacked) {
  const int64_t heads = change.shape[1];
  for_index(change.shape, [&](const Dims& i) {
    for (int64_t d = 0; d < 2; ++d) {
      const int64_t v = 2 * (stacked ? 3 * i[1] + 2 : 2 * heads + i[1]) + d;
      y({i[0], i[2], 2 * i[1] + d}) += change(i) * qkv({i[0], i[3], v});
    }
  });
  return y;
}

// x [.., K], weight [N, K], then bias and residual as asked; `front` is applied to x first.
OpRow affine(const std::string& name, bool bias, bool residual,
             Tensor (*op)(const Tensor&, const Tensor&, const Tensor&, const Tensor&), double (*front)(double)) {
  Shapes shapes = {{{2, 3, 4}, {5, 4}}, {{4, 4}, {4, 4}}, {{1, 1}, {1, 1}}, {{0, 3}, {2, 3}}, {{2, 2, 2, 3}, {3, 3}}};
  Shapes large = {{{3, 200, 20}, {30, 20}}, {{700, 33}, {17, 33}}, {{9, 600}, {24, 600}}};  // the last one is cut along K, too
  for (Shapes* sets : {&shapes, &large}) {
    for (auto& set : *sets) {
      Shape out = set[0];
      out[-1] = set[1][0];
      if (bias) set.push_back({set[1][0]});
      if (residual) set.push_back(out);
    }
  }
  return {
      concat(name, bias ? " + bias" : "", residual ? " + residual" : ""),
      shapes,
      [=](const Tensors& t) { return op(t[0], t[1], bias ? t[2] : Tensor(), residual ? t.back() : Tensor()); },
      [=](const Arrays& a) { return linear(unary(front)(a), a[1], bias ? &a[2] : nullptr, residual ? &a.back() : nullptr); },
      -2,
      2,
      bias == residual ? large : Shapes{}};
}

}  // namespace

std::vector<OpRow> product_rows() {
  std::vector<OpRow> rows;
  // y[:, s] = cls[s] + positions[s], y[:, S + n] = patches[:, n] + positions[S + n]
  rows.push_back({"embed_tokens",
                  {{{2, 3, 4}, {4}, {4, 4}},
                   {{1, 1, 1}, {1}, {2, 1}},
                   {{3, 0, 2}, {2}, {1, 2}},
                   {{0, 2, 3}, {3}, {3, 3}},
                   {{2, 3, 4}, {2, 4}, {5, 4}}},
                  [](const Tensors& t) { return embed_tokens(t[0], t[1], t[2]); },
                  [](const Arrays& a) {
                    const Shape& s = a[0].shape;
                    const int64_t first = a[1].shape.size() == 2 ? a[1].shape[0] : 1;
                    Array y({s[0], s[1] + first, s[2]});
                    for_index(y.shape, [&](const Dims& i) {
                      y(i) = (i[1] < first ? a[1]({i[1], i[2]}) : a[0]({i[0], i[1] - first, i[2]})) + a[2]({i[1], i[2]});
                    });
                    return y;
                  },
                  -2,
                  2,
                  {{{20, 64, 40}, {40}, {65, 40}}}});
  rows.push_back({"matmul",
                  {{{3, 4}, {4, 2}},
                   {{3, 3}, {3, 3}},
                   {{2, 3, 4}, {4, 2}},
                   {{2, 3, 2}, {2, 2, 3}},
                   {{2, 1, 3, 2}, {3, 2, 2}},
                   {{2, 3}, {3, 3, 2}},
                   {{1, 1}, {1, 1}},
                   {{1, 3}, {3, 1}},
                   {{2, 0}, {0, 3}},
                   {{0, 2}, {2, 3}},
                   {{0, 2, 3}, {3, 2}},
                   {{2, 2, 2, 2}, {2, 2, 2, 2}}},
                  [](const Tensors& t) { return hv::matmul(t[0], t[1]); },
                  [](const Arrays& a) { return matmul(a[0], a[1]); },
                  -2,
                  2,
                  {{{600, 40}, {40, 30}}, {{5, 130, 20}, {20, 30}}, {{12, 30, 20}, {12, 20, 10}}, {{20, 600}, {600, 20}}}});
  const auto identity = [](double v) { return v; };
  for (int flags = 0; flags < 4; ++flags) {
    rows.push_back(affine("linear", flags & 1, flags & 2, hv::linear, identity));
    rows.push_back(affine("gelu_linear", flags & 1, flags & 2, gelu_linear, test::gelu));
  }
  const Shapes normed = {
      {{2, 3, 4}, {4}, {4}}, {{5, 3}, {3}, {3}}, {{2, 2, 2, 17}, {17}, {17}}, {{1, 2}, {2}, {2}}, {{0, 3}, {3}, {3}}};
  const Shapes large = {{{3, 250, 40}, {40}, {40}}};
  rows.push_back({"layer_norm", normed, [](const Tensors& t) { return hv::layer_norm(t[0], t[1], t[2], kEps); },
                  [](const Arrays& a) { return layer_norm(a[0], a[1], a[2], kEps); }, -2, 2, large});
  for (bool bias : {false, true}) {
    Shapes shapes = normed, big = large;
    for (Shapes* sets : {&shapes, &big}) {
      for (auto& set : *sets) {
        set.push_back({5, set[1][0]});
        if (bias) set.push_back({5});
      }
    }
    rows.push_back(
        {bias ? "norm_linear + bias" : "norm_linear", shapes,
         [=](const Tensors& t) { return norm_linear(t[0], t[1], t[2], kEps, t[3], bias ? t[4] : Tensor()); },
         [=](const Arrays& a) { return linear(layer_norm(a[0], a[1], a[2], kEps), a[3], bias ? &a[4] : nullptr, nullptr); }, -2,
         2, big});
  }
  for (int dim : {0, 1, -1}) {
    const Shapes shapes = {{{2, 3, 4}}, {{3, 5}}, {{1, 1}}, {{2, 2, 3, 2}}, {{0, 3}}, {{3, 0, 2}}};
    const Shapes big = {{{40, 30, 50}}};
    rows.push_back({concat("softmax along ", dim), shapes, [dim](const Tensors& t) { return hv::softmax(t[0], dim); },
                    [dim](const Arrays& a) { return softmax(a[0], dim, false); }, -2, 2, big});
    rows.push_back({concat("log_softmax along ", dim), shapes, [dim](const Tensors& t) { return log_softmax(t[0], dim); },
                    [dim](const Arrays& a) { return softmax(a[0], dim, true); }, -2, 2, big});
  }
  for (int64_t d : {1, 2, 5}) {  // head_dim; two heads and one
    const Shapes shapes = {{{2, 3, 2 * 3 * d}}, {{1, 1, 3 * d}}, {{0, 2, 3 * d}}, {{2, 0, 3 * d}}};
    const auto twin = [d](const Arrays& a) { return attention(a[0], d); };
    rows.push_back({concat("attention of heads of ", d),
                    shapes,
                    [d](const Tensors& t) { return hv::attention(t[0], d); },
                    twin,
                    -2,
                    2,
                    {{{6, 37, 3 * 3 * d}}}});
    rows.push_back({concat("attention_composed of heads of ", d), shapes,
                    [d](const Tensors& t) { return attention_composed(t[0], d); }, twin});
    const HeadLayout parts_first(d, false, 0.3);  // not stacked, and a multiplier of its own
    const auto parts_twin = [d](const Arrays& a) { return attention(a[0], d, false, 0.3); };
    rows.push_back({concat("attention of heads of ", d, ", {q, k, v} first"),
                    shapes,
                    [parts_first](const Tensors& t) { return hv::attention(t[0], parts_first); },
                    parts_twin,
                    -2,
                    2,
                    {{{6, 37, 3 * 3 * d}}}});
    rows.push_back({concat("attention_composed of heads of ", d, ", {q, k, v} first"), shapes,
                    [parts_first](const Tensors& t) { return attention_composed(t[0], parts_first); }, parts_twin});
  }
  // Head sizes that are no whole vectors, on more tokens than the kernel sums up at once (128).
  for (int64_t d : {3, 8, 15, 17, 24, 31, 33}) {
    const HeadLayout parts_first(d, false, 0.3);
    rows.push_back({concat("attention of heads of ", d),
                    {},
                    [parts_first](const Tensors& t) { return hv::attention(t[0], parts_first); },
                    [d](const Arrays& a) { return attention(a[0], d, false, 0.3); },
                    -2,
                    2,
                    {{{2, 18, 2 * 3 * d}}, {{1, 131, 3 * d}}}});
  }
  // Heads of unequal size: in one piece, in two pieces that make a prefix, one of them empty; a multiplier of its own.
  const std::vector<std::vector<std::vector<int64_t>>> unequal = {{{3, 0, 5, 1}}, {{2, 3}, {1, 0}, {4, 2}}, {{9}, {8}}};
  for (const auto& sizes : unequal) {
    const auto table = std::make_shared<HeadTable>(sizes);
    const HeadLayout layout(table, 0.3);
    const int64_t columns = 3 * table->width;
    const Shapes shapes = {{{2, 3, columns}}, {{1, 1, columns}}, {{0, 2, columns}}, {{2, 0, columns}}};
    const auto twin = [sizes](const Arrays& a) { return unequal_attention(a[0], sizes, 0.3); };
    rows.push_back({concat("attention of unequal heads, ", columns, " columns"),
                    shapes,
                    [layout](const Tensors& t) { return hv::attention(t[0], layout); },
                    twin,
                    -2,
                    2,
                    {{{17, 37, columns}}, {{1, 131, columns}}}});
    rows.push_back({concat("attention_composed of unequal heads, ", columns, " columns"), shapes,
                    [layout](const Tensors& t) { return attention_composed(t[0], layout); }, twin});
  }
  // Maps that are changed before they meet v: (softmax + change) v. So the gradient of the change is that of the map.
  for (const bool stacked : {true, false}) {
    const HeadLayout layout(2, stacked, 0.3);
    const auto changed = [layout](const Tensors& t) {
      return attention_through(t[0], layout, [&](const Tensor& maps) { return maps + t[1]; });
    };
    const auto twin = [stacked](const Arrays& a) { return add_mapped(attention(a[0], 2, stacked, 0.3), a[0], a[1], stacked); };
    const Shapes shapes = {{{2, 3, 12}, {2, 2, 3, 3}}, {{1, 1, 6}, {1, 1, 1, 1}}};
    rows.push_back(
        {concat("attention through changed maps, ", stacked ? "stacked" : "{q, k, v} first"), shapes, changed, twin});
  }
  rows.push_back({"attention of heads of 32",
                  {},
                  [](const Tensors& t) { return hv::attention(t[0], 32); },
                  [](const Arrays& a) { return attention(a[0], 32); },
                  -2,
                  2,
                  {{{3, 65, 3 * 32}}, {{2, 16, 2 * 3 * 32}}}});
  return rows;
}

}  // namespace hv::test
