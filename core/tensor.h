// Tensor: a value-semantics handle on strided memory.
//
// Invariants
//   1. Copying a Tensor aliases: both handles see the same elements, gradient and history. clone() copies the elements.
//   2. element(i, j, ...) lives at storage[offset + i*strides[0] + j*strides[1] + ...].
//   3. A parameter (a leaf that requires a gradient) is contiguous with offset 0, and so is its gradient. A view of a leaf is a
//      leaf view: no graph node, and the same (shape, strides, offset) laid over the leaf's gradient is the view's gradient
//      (idea 1 of the README).
//   4. Functions ending in _ change elements in place, check before they touch, and bump the storage's version, as
//      mutable_data() does. Their operands may overlap the target: the result is as if they were copied first. A target that
//      shows one element many times (expand) is an error.
// Thread rule: handles may be copied on any thread; one thread at a time changes a given tensor.
#pragma once

#include <iosfwd>
#include <memory>
#include <type_traits>
#include <vector>

#include "core/random.h"
#include "core/shape.h"
#include "core/storage.h"

namespace hv {

struct Node;  // core/autograd.h
class Tensor;

struct Range {
  int64_t begin, end;  // half open; negative values count from the end
};
struct All {};
inline constexpr All all{};  // x(all, Range{0, k}): every row, the first k columns

// One argument of x(...): everything, a range, or one index (which removes the dimension).
struct Index {
  Index(All) : kind(Kind::every) {}
  Index(Range r) : kind(Kind::range), begin(r.begin), end(r.end) {}
  template <class Int>
  requires std::is_integral_v<Int> Index(Int i) : kind(Kind::one), begin(static_cast<int64_t>(i)) {}
  enum class Kind { every, range, one } kind;
  int64_t begin = 0, end = 0;
};

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  Shape shape;
  Strides strides;
  int64_t offset = 0;
  bool requires_grad = false;        // for a result: some input did
  std::shared_ptr<Node> grad_fn;     // the operation that made it; null for leaves and leaf views
  std::shared_ptr<TensorImpl> leaf;  // the parameter this is a view of; null otherwise
  std::shared_ptr<TensorImpl> grad;  // a leaf's gradient, created by the first backward
};

class Tensor {
 public:
  Tensor() = default;  // undefined: only defined() and assignment may be used
  explicit Tensor(std::shared_ptr<TensorImpl> impl) : impl_(std::move(impl)) {}

  // --- factories ------------------------------------------------------------------------------------------------------------
  static Tensor empty(const Shape& shape);  // contents unspecified
  static Tensor zeros(const Shape& shape) { return full(shape, 0); }
  static Tensor ones(const Shape& shape) { return full(shape, 1); }
  static Tensor full(const Shape& shape, double value);
  static Tensor scalar(double value) { return full({}, value); }
  static Tensor arange(int64_t count);  // 0, 1, ..., count - 1
  static Tensor from(const std::vector<double>& values, const Shape& shape);
  static Tensor uniform(const Shape& shape, double low, double high, Stream& stream);
  static Tensor normal(const Shape& shape, double mean, double std, Stream& stream);

  // --- what it is -----------------------------------------------------------------------------------------------------------
  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl().shape; }
  const Strides& strides() const { return impl().strides; }
  int64_t offset() const { return impl().offset; }
  int rank() const { return impl().shape.size(); }
  int64_t size(int64_t dim) const { return impl().shape[dim]; }  // negative dims count from the end
  int64_t numel() const { return hv::numel(impl().shape); }
  bool is_contiguous() const;
  const Real* data() const { return impl().storage->data() + impl().offset; }  // the first element
  // The same, for writing; like fill_, it works through a const handle. Each call bumps the storage's version, so that backward
  // reports a saved tensor that was overwritten. The version is no atomic: take the pointer once, outside parallel regions.
  Real* mutable_data() const {
    impl().storage->bump_version();
    return impl().storage->data() + impl().offset;
  }
  Real item() const;  // the only element
  Real at(std::initializer_list<int64_t> index) const;
  std::vector<double> to_vector() const;  // row-major
  const std::shared_ptr<TensorImpl>& shared() const { return impl_; }

  // --- views: share memory, cost nothing, differentiable --------------------------------------------------------------------
  Tensor slice(int64_t dim, int64_t begin, int64_t end) const;
  Tensor select(int64_t dim, int64_t index) const;  // removes dim
  Tensor transpose(int64_t dim0, int64_t dim1) const;
  Tensor permute(const Dims& order) const;
  Tensor expand(const Shape& target) const;  // size-1 (or new leading) dimensions repeat with stride 0
  Tensor squeeze(int64_t dim) const;         // dim must have size 1
  Tensor unsqueeze(int64_t dim) const;
  Tensor view(const Shape& target) const;     // one entry may be -1; an error where a copy would be needed
  Tensor reshape(const Shape& target) const;  // view where possible, else a counted copy
  template <class... Args>
  Tensor operator()(Args... args) const {
    return index({Index(args)...});
  }
  Tensor index(std::initializer_list<Index> indices) const;

  // --- copies ---------------------------------------------------------------------------------------------------------------
  Tensor clone() const;       // contiguous, differentiable
  Tensor contiguous() const;  // this, if it is contiguous, else a counted copy
  Tensor detach() const;      // same memory, no history

  // --- in place -------------------------------------------------------------------------------------------------------------
  // Assigning to a temporary view would change no element, so it does not compile: write x.slice(0, 0, 2).copy_(y).
  Tensor& operator=(const Tensor&) & = default;
  Tensor& operator=(Tensor&&) & = default;
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) = default;
  const Tensor& fill_(double value) const;
  const Tensor& copy_(const Tensor& source) const;                  // broadcasts
  const Tensor& add_(const Tensor& other, double scale = 1) const;  // this += scale * other; broadcasts
  const Tensor& mul_(double factor) const;

  // --- autograd (core/autograd.h) -------------------------------------------------------------------------------------------
  bool requires_grad() const { return defined() && impl_->requires_grad; }
  const Tensor& requires_grad_(bool on = true) const;  // contiguous leaves only
  bool is_leaf() const { return !impl().grad_fn; }
  Tensor grad() const;  // of a leaf, or of a view of one; undefined before the first backward
  void zero_grad() const;
  void backward() const;                        // of a scalar
  void backward(const Tensor& gradient) const;  // seeds with `gradient`, of this shape

 private:
  TensorImpl& impl() const {
    HV_CHECK(impl_, "tensor: use of an undefined tensor");
    return *impl_;
  }
  std::shared_ptr<TensorImpl> impl_;
};

std::ostream& operator<<(std::ostream& out, const Tensor& tensor);  // shape first, long dimensions abridged

// The reverse of expand: g summed over the dimensions in which a tensor of `shape` was repeated; no history. g itself if there
// are none.
Tensor sum_to(const Tensor& g, const Shape& shape);

// Same memory, other geometry; no history. The building block of every view.
Tensor make_view(const Tensor& base, const Shape& shape, const Strides& strides, int64_t offset);

}  // namespace hv
