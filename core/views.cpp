// Views: the same memory with other shapes and strides. They have three kinds of gradient:
//   - a view of a leaf needs none: its shape and strides, laid over the leaf's gradient, are its gradient (idea 1);
//   - a view that shows every element once (permute, reshape, ...) sends g back through the inverse view;
//   - a view that shows a part (slice, select) adds g to the same view of the parent's gradient;
//   - a view that repeats (expand) sends the sum of g over the repeats.
#include <algorithm>

#include "core/autograd.h"
#include "core/kernels/elementwise.h"
#include "core/tensor.h"

namespace hv {

Tensor make_view(const Tensor& base, const Shape& shape, const Strides& strides, int64_t offset) {
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = base.shared()->storage;
  impl->shape = shape;
  impl->strides = strides;
  impl->offset = offset;
  return Tensor(std::move(impl));
}

namespace {

bool becomes_leaf_view(const Tensor& base) { return grad_enabled() && base.requires_grad() && base.is_leaf(); }

Tensor leaf_view(const Tensor& base, Tensor view) {
  view.shared()->requires_grad = true;
  view.shared()->leaf = base.shared()->leaf ? base.shared()->leaf : base.shared();
  return view;
}

// For views that show every element once: inverse(g) has the parent's shape.
template <class Inverse>
Tensor one_to_one(const char* op, const Tensor& base, Tensor view, Inverse inverse) {
  if (becomes_leaf_view(base)) return leaf_view(base, std::move(view));
  return record(op, std::move(view), {base}, [inverse](const Tensor& g, const Edges& in) { in[0].add(inverse(g)); });
}

// For views that show a part: replay(the parent's gradient) is the part that g is added to.
template <class Replay>
Tensor part(const char* op, const Tensor& base, Tensor view, Replay replay) {
  if (becomes_leaf_view(base)) return leaf_view(base, std::move(view));
  return record(op, std::move(view), {base},
                [replay](const Tensor& g, const Edges& in) { replay(in[0].zeros_or_partial()).add_(g); });
}

}  // namespace

Tensor Tensor::slice(int64_t dim, int64_t begin, int64_t end) const {
  const int d = wrap_dim(dim, rank(), "slice");
  const int64_t b = begin < 0 ? begin + size(d) : begin, e = end < 0 ? end + size(d) : end;
  HV_CHECK(b >= 0 && b <= e && e <= size(d), "slice: range out of bounds: [", begin, ", ", end, ") in dimension ", d, " of ",
           shape());
  if (b == 0 && e == size(d)) return *this;
  Shape s = shape();
  s[d] = e - b;
  return part("slice", *this, make_view(*this, s, strides(), offset() + b * strides()[d]),
              [d, b, e](const Tensor& t) { return t.slice(d, b, e); });
}

Tensor Tensor::select(int64_t dim, int64_t index) const {
  const int d = wrap_dim(dim, rank(), "select");
  const int64_t i = index < 0 ? index + size(d) : index;
  HV_CHECK(i >= 0 && i < size(d), "select: index out of range: ", index, " in dimension ", d, " of ", shape());
  Shape s = shape();
  Strides st = strides();
  s.erase(d);
  st.erase(d);
  return part("select", *this, make_view(*this, s, st, offset() + i * strides()[d]),
              [d, i](const Tensor& t) { return t.select(d, i); });
}

Tensor Tensor::permute(const Dims& order) const {
  HV_CHECK(order.size() == rank(), "permute: order ", order, " for ", shape());
  Shape s;
  Strides st;
  Dims inverse = Dims::filled(rank(), -1);
  for (int i = 0; i < rank(); ++i) {
    const int from = wrap_dim(order[i], rank(), "permute");
    HV_CHECK(inverse[from] < 0, "permute: dimension ", from, " named twice: ", order);
    inverse[from] = i;
    s.push_back(size(from));
    st.push_back(strides()[from]);
  }
  return one_to_one("permute", *this, make_view(*this, s, st, offset()),
                    [inverse](const Tensor& g) { return g.permute(inverse); });
}

Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const {
  const int a = wrap_dim(dim0, rank(), "transpose"), b = wrap_dim(dim1, rank(), "transpose");
  Dims order;
  for (int i = 0; i < rank(); ++i) order.push_back(i);
  std::swap(order[a], order[b]);
  return permute(order);
}

Tensor Tensor::expand(const Shape& target) const {
  if (target == shape()) return *this;
  const int extra = target.size() - rank();
  bool fits = extra >= 0;
  Strides st = Dims::filled(target.size(), 0);
  for (int i = 0; fits && i < rank(); ++i) {
    fits = size(i) == target[extra + i] || size(i) == 1;
    if (size(i) != 1) st[extra + i] = strides()[i];
  }
  HV_CHECK(fits, "expand: ", shape(), " does not expand to ", target);
  hv::numel(target);  // an error if there are too many
  return record("expand", make_view(*this, target, st, offset()), {*this},
                [](const Tensor& g, const Edges& in) { in[0].add(sum_to(g, in[0].shape())); });
}

Tensor sum_to(const Tensor& g, const Shape& shape) {
  if (g.shape() == shape) return g;
  const int extra = g.rank() - shape.size();
  Shape kept, repeated;
  Strides kept_strides, repeated_strides;
  for (int i = 0; i < g.rank(); ++i) {
    const bool again = i < extra || shape[i - extra] != g.size(i);
    (again ? repeated : kept).push_back(g.size(i));
    (again ? repeated_strides : kept_strides).push_back(g.strides()[i]);
  }
  Tensor sums = Tensor::empty(shape);
  reduce_elements<SumFold>(kept, kept_strides, repeated, repeated_strides, g.data(), sums.mutable_data());
  return sums;
}

Tensor Tensor::squeeze(int64_t dim) const {
  const int d = wrap_dim(dim, rank(), "squeeze");
  HV_CHECK(size(d) == 1, "squeeze: dimension ", d, " is not 1: ", shape());
  Shape s = shape();
  Strides st = strides();
  s.erase(d);
  st.erase(d);
  return one_to_one("squeeze", *this, make_view(*this, s, st, offset()), [d](const Tensor& g) { return g.unsqueeze(d); });
}

Tensor Tensor::unsqueeze(int64_t dim) const {
  const int d = wrap_dim(dim, rank() + 1, "unsqueeze");
  Shape s = shape();
  Strides st = strides();
  st.insert(d, d < rank() ? st[d] * s[d] : 1);
  s.insert(d, 1);
  return one_to_one("unsqueeze", *this, make_view(*this, s, st, offset()), [d](const Tensor& g) { return g.squeeze(d); });
}

namespace {

// Replaces a -1 and checks the count.
Shape resolved(const Shape& from, const Shape& to, const char* op) {
  Shape out = to;
  int unknown = -1;
  for (int i = 0; i < to.size(); ++i) {
    if (to[i] == -1) {
      HV_CHECK(unknown < 0, op, ": more than one -1: ", to);
      out[unknown = i] = 1;
    } else {
      HV_CHECK(to[i] >= 0, op, ": negative size: ", to);
    }
  }
  const int64_t count = numel(from), known = numel(out);
  if (unknown >= 0) {
    HV_CHECK(known > 0 && count % known == 0, op, ": ", from, " does not reshape to ", to);
    out[unknown] = count / known;
  }
  HV_CHECK(numel(out) == count, op, ": ", from, " does not reshape to ", to);
  return out;
}

// Strides of `to` over the same memory, if there are any: each group of old dimensions that covers a group of new ones must be
// contiguous in itself.
bool reshape_strides(const Tensor& x, const Shape& to, Strides& out) {
  out = contiguous_strides(to);
  if (x.is_contiguous()) return true;
  Dims sizes, strides;  // without the size-1 dimensions
  for (int i = 0; i < x.rank(); ++i) {
    if (x.size(i) == 1) continue;
    sizes.push_back(x.size(i));
    strides.push_back(x.strides()[i]);
  }
  int i = 0, j = 0;
  while (i < sizes.size()) {
    int i_end = i + 1, j_end = j + 1;
    int64_t covered = sizes[i], wanted = to[j];
    while (covered != wanted) {
      if (covered < wanted) {
        covered *= sizes[i_end++];
      } else {
        wanted *= to[j_end++];
      }
    }
    for (int k = i; k + 1 < i_end; ++k) {
      if (strides[k] != sizes[k + 1] * strides[k + 1]) return false;
    }
    out[j_end - 1] = strides[i_end - 1];
    for (int k = j_end - 2; k >= j; --k) out[k] = out[k + 1] * to[k + 1];
    i = i_end;
    j = j_end;
  }
  return true;
}

}  // namespace

Tensor Tensor::view(const Shape& target) const {
  const Shape to = resolved(shape(), target, "view");
  if (to == shape()) return *this;
  Strides st;
  HV_CHECK(reshape_strides(*this, to, st), "view: ", shape(), " with strides ", strides(), " has no view as ", to,
           "; use reshape, which copies");
  const Shape from = shape();
  return one_to_one("view", *this, make_view(*this, to, st, offset()), [from](const Tensor& g) { return g.reshape(from); });
}

Tensor Tensor::reshape(const Shape& target) const {
  const Shape to = resolved(shape(), target, "reshape");
  Strides st;
  return reshape_strides(*this, to, st) ? view(to) : contiguous().view(to);
}

Tensor Tensor::index(std::initializer_list<Index> indices) const {
  HV_CHECK(static_cast<int>(indices.size()) <= rank(), "index: ", indices.size(), " indices for ", shape());
  Tensor out = *this;
  int dim = 0;
  for (const Index& i : indices) {
    if (i.kind == Index::Kind::one) {
      out = out.select(dim, i.begin);
    } else {
      if (i.kind == Index::Kind::range) out = out.slice(dim, i.begin, i.end);
      ++dim;
    }
  }
  return out;
}

}  // namespace hv
