// Matrix products of any rank from 2 up, on core/kernels/gemm.h.
//
// Matrices with one unit stride (slices, transposes) are read in place; others are copied, and the copies counted. If all
// matrices share the right operand, they are computed as one long product; otherwise each product of the batch is computed by
// itself.
#include <algorithm>

#include "core/kernels/blas.h"
#include "core/kernels/gemm.h"
#include "core/ops.h"
#include "core/ops/map.h"

namespace hv {
namespace {

Matrix matrix_at(const Tensor& t, int64_t offset) {
  return {t.data() + offset, t.size(-2), t.size(-1), t.strides()[-2], t.strides()[-1]};
}

// Can BLAS read (or write) the last two dimensions in place?
bool suits_blas(const Tensor& t) { return matrix_at(t, 0).unit(); }

Tensor suited(const Tensor& t) {
  if (suits_blas(t)) return t;
  count_strided_copy();
  return t.clone();
}

Shape batch_of(const Shape& shape) {
  Shape batch = shape;
  batch.erase(batch.size() - 1);
  batch.erase(batch.size() - 1);
  return batch;
}

// Strides of t's batch dimensions, broadcast to `batch`: 0 along dimensions in which t is repeated.
Strides batch_strides(const Tensor& t, const Shape& batch) {
  Strides out = Dims::filled(batch.size(), 0);
  for (int i = 1; i <= t.rank() - 2; ++i) {
    if (t.size(-2 - i) != 1) out[-i] = t.strides()[-2 - i];
  }
  return out;
}

// All leading dimensions as rows of one matrix, if the layout allows it.
bool folds(const Tensor& t) {
  int64_t expected = t.strides()[-2] * t.size(-2);
  for (int i = t.rank() - 3; i >= 0; --i) {
    if (t.size(i) == 1) continue;
    if (t.strides()[i] != expected) return false;
    expected *= t.size(i);
  }
  return suits_blas(t);
}
Tensor folded(const Tensor& t) {
  return make_view(t, {numel(batch_of(t.shape())) * t.size(-2), t.size(-1)}, {t.strides()[-2], t.strides()[-1]}, t.offset());
}

// c (+)= a b for one pair of matrices; c suits BLAS. `product` is one of the functions of gemm.h.
template <class Product>
void into(const Product& product, const Matrix& a, const Matrix& b, const Tensor& c, Real* to, bool add) {
  if (matrix_at(c, 0).plain()) {
    product(a, b, to, c.strides()[-2], add);
  } else {
    product(b.transposed(), a.transposed(), to, c.strides()[-1], add);  // c^T = b^T a^T
  }
}

// c (+)= a b, where a and b broadcast over c's batch. a, b and c suit BLAS.
void multiply(const Tensor& a, const Tensor& b, const Tensor& c, bool add) {
  const Shape batch = batch_of(c.shape());
  const int64_t count = numel(batch);
  Real* const to = c.mutable_data();
  if (count == 1) {
    const auto parallel = [](const Matrix& l, const Matrix& r, Real* out, int64_t ld, bool plus) {
      gemm_parallel(l, r, out, ld, 1, plus);
    };
    return into(parallel, matrix_at(a, 0), matrix_at(b, 0), c, to, add);
  }
  const auto serial = [](const Matrix& l, const Matrix& r, Real* out, int64_t ld, bool plus) { gemm(l, r, out, ld, 1, plus); };
  constexpr int64_t kMuch = 16384;  // each of its own is worth a block; limited, so that their product does not overflow
  const int64_t inner = std::min(1 + a.size(-1) / 16, kMuch), outputs = std::min(c.size(-2) * c.size(-1), kMuch);
  const int64_t cost = std::max<int64_t>(outputs * inner, 1);
  prepare_blas();
  strided_loop<3>(
      batch, {batch_strides(c, batch), batch_strides(a, batch), batch_strides(b, batch)},
      [&](const Places<3>& at, int64_t n, const Places<3>& step) {
        for (int64_t i = 0; i < n; ++i) {
          into(serial, matrix_at(a, at[1] + i * step[1]), matrix_at(b, at[2] + i * step[2]), c, to + at[0] + i * step[0], add);
        }
      },
      cost);
}

// Sends the products a b, which have g's batch, to an input: straight into its gradient if nothing was broadcast.
void send_product(const Edge& to, const Tensor& a, const Tensor& b, const Shape& batch) {
  if (batch_of(to.shape()) == batch) {
    if (const Target target = to.open(); suits_blas(target.at)) return multiply(a, b, target.at, target.add);
  }
  Shape full = batch;
  full.push_back(a.size(-2));
  full.push_back(b.size(-1));
  const Tensor product = Tensor::empty(full);
  multiply(a, b, product, false);
  to.add(sum_to(product, to.shape()));
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  HV_CHECK(a.rank() >= 2 && b.rank() >= 2, "matmul: both operands need at least 2 dimensions: ", a.shape(), " x ", b.shape());
  HV_CHECK(a.size(-1) == b.size(-2), "matmul: inner dimensions differ: ", a.shape(), " x ", b.shape());
  const Shape batch = broadcast_shapes(batch_of(a.shape()), batch_of(b.shape()), "matmul");
  Shape shape = batch;
  shape.push_back(a.size(-2));
  shape.push_back(b.size(-1));
  const Tensor left = suited(a.detach()), right = suited(b.detach()), y = Tensor::empty(shape);

  // [.., M, K] x [K, N]: one product of (.. M) rows.
  const bool one = b.rank() == 2 && folds(left);
  if (one) {
    multiply(folded(left), right, folded(y), false);
  } else {
    multiply(left, right, y, false);
  }
  if (!wants_grad({a, b})) return y;
  // dA = G B^T, dB = A^T G, summed over the dimensions in which an operand is repeated
  return record("matmul", y, {a, b}, [=, sa = Saved(left), sb = Saved(right)](const Tensor& g, const Edges& in) {
    const Tensor at = sa.get().transpose(-2, -1), bt = sb.get().transpose(-2, -1);
    if (in[0]) send_product(in[0], g, bt, batch);
    if (!in[1]) return;
    if (!one) return send_product(in[1], at, g, batch);
    // The sum over the batch is the inner dimension of one long product.
    const auto reduce = [](const Matrix& l, const Matrix& r, Real* to, int64_t ld, bool plus) {
      gemm_reduce(l, r, to, ld, plus);
    };
    const Target target = in[1].open();
    const Matrix rows = matrix_at(folded(sa.get()), 0).transposed(), grads = matrix_at(folded(g), 0);
    if (suits_blas(target.at)) return into(reduce, rows, grads, target.at, target.at.mutable_data(), target.add);
    const Tensor product = Tensor::empty(in[1].shape());
    into(reduce, rows, grads, product, product.mutable_data(), false);
    in[1].add(product);
  });
}

}  // namespace hv
