// Operations that move data: they always copy. Views, which never copy, are methods of Tensor.
#include <map>

#include "core/ops.h"
#include "core/ops/map.h"

namespace hv {
namespace {

Real same(Real v) { return v; }

}  // namespace

Tensor cat(const std::vector<Tensor>& parts, int64_t dim) {
  HV_CHECK(!parts.empty(), "cat: no tensors");
  const int d = wrap_dim(dim, parts[0].rank(), "cat");
  Shape shape = parts[0].shape();
  shape[d] = 0;
  for (const Tensor& part : parts) {
    HV_CHECK(part.rank() == shape.size(), "cat: ranks differ: ", parts[0].shape(), " and ", part.shape());
    Shape like = part.shape();
    like[d] = shape[d];
    HV_CHECK(like == shape, "cat: shapes differ outside dimension ", d, ": ", parts[0].shape(), " and ", part.shape());
    shape[d] += part.size(d);
  }
  Tensor y = Tensor::empty(shape);
  std::vector<int64_t> begins = {0};  // an edge of a constant knows no shape
  for (const Tensor& part : parts) {
    const int64_t begin = begins.back(), end = begin + part.size(d);
    map_into({y.slice(d, begin, end), false}, same, part);
    begins.push_back(end);
  }
  // dx_i = the slice of g that x_i was copied to
  return record("cat", y, parts, [d, begins](const Tensor& g, const Edges& in) {
    for (size_t i = 0; i < begins.size() - 1; ++i) {
      const Edge& edge = in[i];
      if (edge) map_into(edge.open(), same, g.slice(d, begins[i], begins[i + 1]));
    }
  });
}

Tensor stack(const std::vector<Tensor>& parts, int64_t dim) {
  HV_CHECK(!parts.empty(), "stack: no tensors");
  const int d = wrap_dim(dim, parts[0].rank() + 1, "stack");
  std::vector<Tensor> wide;
  for (const Tensor& part : parts) {
    HV_CHECK(part.shape() == parts[0].shape(), "stack: shapes differ: ", parts[0].shape(), " and ", part.shape());
    wide.push_back(part.unsqueeze(d));
  }
  return cat(wide, d);
}

Tensor index_select(const Tensor& x, int64_t dim, std::span<const int64_t> indices) {
  const int d = wrap_dim(dim, x.rank(), "index_select");
  for (int64_t i : indices) {
    HV_CHECK(i >= 0 && i < x.size(d), "index_select: index out of range: ", i, " in dimension ", d, " of ", x.shape());
  }
  Shape shape = x.shape();
  shape[d] = static_cast<int64_t>(indices.size());
  Tensor y = Tensor::empty(shape);
  const std::vector<int64_t> kept(indices.begin(), indices.end());
  const Tensor from = x.detach();
  for (size_t i = 0; i < kept.size(); ++i)
    map_into({y.select(d, static_cast<int64_t>(i)), false}, same, from.select(d, kept[i]));
  // dx[k] += the sum of g[i] over all i with indices[i] = k
  return record("index_select", y, {x}, [d, kept](const Tensor& g, const Edges& in) {
    const Tensor to = in[0].zeros_or_partial();
    std::map<int64_t, std::vector<int64_t>> places;
    for (size_t i = 0; i < kept.size(); ++i) places[kept[i]].push_back(static_cast<int64_t>(i));
    for (const auto& [k, at] : places) {
      map_into({to.select(d, k), true}, same, at.size() == 1 ? g.select(d, at[0]) : sum(index_select(g, d, at), {d}));
    }
  });
}

Tensor gather_rows(const Tensor& x, std::span<const int64_t> columns) {
  HV_CHECK(x.rank() == 2, "gather_rows: x must be [M, N]: ", x.shape());
  HV_CHECK(x.size(0) == static_cast<int64_t>(columns.size()), "gather_rows: ", columns.size(), " columns for the rows of ",
           x.shape());
  const int64_t m = x.size(0);
  Tensor y = Tensor::empty({m});
  Real* const picked = y.mutable_data();
  for (int64_t i = 0; i < m; ++i) {
    const int64_t c = columns[static_cast<size_t>(i)];
    HV_CHECK(c >= 0 && c < x.size(1), "gather_rows: column out of range: ", c, " of ", x.shape());
    picked[i] = x.data()[i * x.strides()[0] + c * x.strides()[1]];
  }
  // dx[i, columns[i]] += g[i]
  const std::vector<int64_t> kept(columns.begin(), columns.end());
  return record("gather_rows", y, {x}, [kept](const Tensor& g, const Edges& in) {
    const Tensor dx = in[0].zeros_or_partial();
    Real* const to = dx.mutable_data();
    for (int64_t i = 0; i < g.numel(); ++i) {
      to[i * dx.strides()[0] + kept[static_cast<size_t>(i)] * dx.strides()[1]] += g.data()[i];
    }
  });
}

Tensor patchify(const Tensor& images, int64_t patch) {
  HV_CHECK(images.rank() == 4 && patch > 0 && images.size(2) % patch == 0 && images.size(3) % patch == 0,
           "patchify: images must be [B, C, H, W] with H and W multiples of ", patch, ": ", images.shape());
  const int64_t b = images.size(0), c = images.size(1), rows = images.size(2) / patch, cols = images.size(3) / patch;
  // [B, C, rows, P, cols, P] -> [B, rows, cols, C, P, P], and back. Both copies are the operation's own work.
  const Tensor blocks = images.detach().reshape({b, c, rows, patch, cols, patch}).permute({0, 2, 4, 1, 3, 5});
  const Tensor y = blocks.clone().view({b, rows * cols, numel({c, patch, patch})});
  return record("patchify", y, {images}, [=, shape = images.shape()](const Tensor& g, const Edges& in) {
    in[0].add(g.view({b, rows, cols, c, patch, patch}).permute({0, 3, 1, 4, 2, 5}).clone().view(shape));
  });
}

}  // namespace hv
