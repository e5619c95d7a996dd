#include "core/tensor.h"

#include <algorithm>

#include "core/autograd.h"
#include "core/kernels/simd.h"
#include "core/kernels/strided.h"

namespace hv {
namespace {

Tensor fresh(const Shape& shape) {
  simd::kernels();  // chosen here at the latest: inside a parallel region an unknown HYDRAVIT_SIMD could not be reported
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = std::make_shared<Storage>(numel(shape));
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  return Tensor(std::move(impl));
}

// In-place changes are not recorded, so they must not touch what gradients flow through. And each element of the target must be
// a number of its own: one that is shown many times would be changed many times, or keep the last of many values.
void check_mutable(const Tensor& target, const char* op) {
  HV_CHECK(!grad_enabled() || !target.requires_grad(), op,
           ": in-place change of a tensor that requires a gradient: ", target.shape(),
           "; do it inside a NoGrad scope or on detach()");
  for (int i = 0; target.numel() > 0 && i < target.rank(); ++i) {
    HV_CHECK(target.strides()[i] != 0 || target.size(i) == 1, op, ": the target shows one element many times: ", target.shape(),
             " with strides ", target.strides(), "; change a clone()");
  }
}

void check_no_history(const Tensor& source, const char* op) {
  HV_CHECK(!grad_enabled() || !source.requires_grad(), op,
           ": the source requires a gradient, which an in-place change would lose: ", source.shape(),
           "; use detach() or an operation");
}

}  // namespace

// --- factories --------------------------------------------------------------------------------------------------------------

Tensor Tensor::empty(const Shape& shape) { return fresh(shape); }

Tensor Tensor::full(const Shape& shape, double value) {
  Tensor t = fresh(shape);
  Real* const to = t.mutable_data();
  parallel_blocks(t.numel(), 65536,
                  [&](int64_t begin, int64_t end) { std::fill(to + begin, to + end, static_cast<Real>(value)); });
  return t;
}

Tensor Tensor::arange(int64_t count) {
  Tensor t = fresh({count});
  Real* const to = t.mutable_data();
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<Real>(i);
  return t;
}

Tensor Tensor::from(const std::vector<double>& values, const Shape& shape) {
  Tensor t = fresh(shape);
  HV_CHECK(t.numel() == static_cast<int64_t>(values.size()), "from: ", values.size(), " values do not fill ", shape);
  std::transform(values.begin(), values.end(), t.mutable_data(), [](double v) { return static_cast<Real>(v); });
  return t;
}

Tensor Tensor::uniform(const Shape& shape, double low, double high, Stream& stream) {
  Tensor t = fresh(shape);
  std::generate_n(t.mutable_data(), t.numel(), [&] { return static_cast<Real>(stream.uniform(low, high)); });
  return t;
}

Tensor Tensor::normal(const Shape& shape, double mean, double std, Stream& stream) {
  Tensor t = fresh(shape);
  std::generate_n(t.mutable_data(), t.numel(), [&] { return static_cast<Real>(mean + std * stream.normal()); });
  return t;
}

// --- reading ----------------------------------------------------------------------------------------------------------------

bool Tensor::is_contiguous() const {
  int64_t expected = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (size(i) == 1) continue;
    if (strides()[i] != expected) return numel() == 0;
    expected *= size(i);
  }
  return true;
}

Real Tensor::item() const {
  HV_CHECK(numel() == 1, "item: the tensor has more or less than one element: ", shape());
  return *data();
}

Real Tensor::at(std::initializer_list<int64_t> index) const {
  HV_CHECK(static_cast<int>(index.size()) == rank(), "at: ", index.size(), " indices for ", shape());
  int64_t place = 0;
  int dim = 0;
  for (int64_t i : index) {
    const int64_t j = i < 0 ? i + size(dim) : i;
    HV_CHECK(j >= 0 && j < size(dim), "at: index out of range: ", i, " in dimension ", dim, " of ", shape());
    place += j * strides()[dim++];
  }
  return data()[place];
}

std::vector<double> Tensor::to_vector() const {
  NoGrad off;
  const Tensor dense = is_contiguous() ? *this : clone();
  return {dense.data(), dense.data() + numel()};
}

// --- copies and in-place changes --------------------------------------------------------------------------------------------

Tensor Tensor::clone() const {
  Tensor y = fresh(shape());
  strided_rows(shape(), y.strides(), strides(), y.mutable_data(), data(),
               [](Real* to, const Real* from, int64_t n, int64_t ts, int64_t fs) {
                 if (ts == 1 && fs == 1) {
                   std::copy_n(from, n, to);
                 } else {
                   for (int64_t i = 0; i < n; ++i) to[i * ts] = from[i * fs];
                 }
               });
  return record("clone", y, {*this}, [](const Tensor& g, const Edges& in) { in[0].add(g); });
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  count_strided_copy();
  return clone();
}

Tensor Tensor::detach() const { return make_view(*this, shape(), strides(), offset()); }

const Tensor& Tensor::fill_(double value) const {
  check_mutable(*this, "fill_");
  const Real v = static_cast<Real>(value);
  strided_rows(shape(), strides(), strides(), mutable_data(), data(),
               [v](Real* to, const Real*, int64_t n, int64_t ts, int64_t) {
                 for (int64_t i = 0; i < n; ++i) to[i * ts] = v;
               });
  return *this;
}

const Tensor& Tensor::copy_(const Tensor& source) const {
  check_mutable(*this, "copy_");
  check_no_history(source, "copy_");
  NoGrad off;
  const bool overlaps = source.impl().storage == impl().storage;
  const Tensor from = (overlaps ? source.clone() : source.detach()).expand(shape());
  strided_rows(shape(), strides(), from.strides(), mutable_data(), from.data(),
               [](Real* to, const Real* f, int64_t n, int64_t ts, int64_t fs) {
                 for (int64_t i = 0; i < n; ++i) to[i * ts] = f[i * fs];
               });
  return *this;
}

const Tensor& Tensor::add_(const Tensor& other, double scale) const {
  check_mutable(*this, "add_");
  check_no_history(other, "add_");
  NoGrad off;
  // An element could be read after it was changed, unless each is added to itself.
  const Tensor shown = other.detach().expand(shape());
  const bool overlaps = other.impl().storage == impl().storage && !(shown.strides() == strides() && shown.offset() == offset());
  const Tensor from = overlaps ? other.clone().expand(shape()) : shown;
  const Real s = static_cast<Real>(scale);
  strided_rows(shape(), strides(), from.strides(), mutable_data(), from.data(),
               [s](Real* to, const Real* f, int64_t n, int64_t ts, int64_t fs) {
                 if (ts == 1 && fs == 1) {
                   for (int64_t i = 0; i < n; ++i) to[i] += s * f[i];
                 } else {
                   for (int64_t i = 0; i < n; ++i) to[i * ts] += s * f[i * fs];
                 }
               });
  return *this;
}

const Tensor& Tensor::mul_(double factor) const {
  check_mutable(*this, "mul_");
  const Real s = static_cast<Real>(factor);
  strided_rows(shape(), strides(), strides(), mutable_data(), data(),
               [s](Real* to, const Real*, int64_t n, int64_t ts, int64_t) {
                 for (int64_t i = 0; i < n; ++i) to[i * ts] *= s;
               });
  return *this;
}

}  // namespace hv
