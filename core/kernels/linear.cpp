#include "core/kernels/linear.h"

#include <algorithm>
#include <vector>

#include "core/kernels/product_list.h"
#include "core/kernels/sums.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

// A workspace of `size` elements for each thread.
class Workspace {
 public:
  explicit Workspace(int64_t size) : size_((size + 15) / 16 * 16), memory_(size_ * num_threads()) {}
  Real* mine() { return memory_.data() + size_ * thread_index(); }

 private:
  int64_t size_;
  Storage memory_;
};

// GELU or LayerNorm of rows [begin, end) into `to`, dense; the first of the rows lies at x.data. With `again`, LayerNorm reads
// the mean and rstd that the forward pass found.
void front_rows(Front front, const NormFront& norm, bool again, const RowsIn& x, int64_t k, int64_t begin, int64_t end,
                Real* to) {
  const auto& simd = simd::kernels();
  const int64_t rows = end - begin;
  if (front == Front::gelu) {
    if (x.ld == k) return simd.gelu(x.data, to, rows * k);
    for (int64_t r = 0; r < rows; ++r) simd.gelu(x.data + r * x.ld, to + r * k, k);
  } else if (again) {
    simd.layer_norm_again(x.data, x.ld, norm.gain, norm.shift, norm.mean + begin, norm.rstd + begin, to, k, rows, k);
  } else {
    simd.layer_norm(x.data, x.ld, norm.gain, norm.shift, norm.eps, to, k, norm.mean + begin, norm.rstd + begin, rows, k);
  }
}

// --- forward ----------------------------------------------------------------------------------------------------------------

// One image, or a few: too few rows to share out. So f(X) is computed whole, and the threads share the columns of Y.
void forward_few(const LinearForward& f) {
  const int64_t m = f.x.rows, k = f.x.cols;
  if (f.kept) f.kept.put(f.x.data, f.x.row, 0, m);
  if (f.front == Front::none) return gemm_columns(f.x, f.weight.transposed(), f.y, f.weight.rows, f.plus);
  Storage fx(m * k);
  {
    const PartTimer timer(Part::norm_activation);
    parallel_blocks(m, 16, [&](int64_t begin, int64_t end) {
      front_rows(f.front, f.norm, false, {f.x.data + begin * f.x.row, f.x.row}, k, begin, end, fx.data() + begin * k);
    });
  }
  gemm_columns({fx.data(), m, k, k, 1}, f.weight.transposed(), f.y, f.weight.rows, f.plus);
}

}  // namespace

void linear_forward(const LinearForward& f) {
  const int64_t m = f.x.rows, k = f.x.cols, n = f.weight.rows, block = row_block(m);
  note_product({MatrixProduct::Kind::forward, m, n, k, 1});
  if (m <= kRowBlock) return forward_few(f);
  Workspace workspace(f.front == Front::none ? 0 : block * k);
  const RightOperand weight(f.weight.transposed());
  const PartTimer whole(Part::gemm);  // includes the wait for the last thread; gemm() and `rest` charge the parts of a block
  parallel_blocks(m, block, [&](int64_t begin, int64_t end) {
    const PartTimer rest(Part::norm_activation);
    const Matrix rows = f.x.rows_of(begin, end);
    if (f.kept) f.kept.put(rows.data, rows.row, begin, end);
    Matrix fx = rows;
    if (f.front != Front::none) {
      Real* const mine = workspace.mine();
      front_rows(f.front, f.norm, false, {rows.data, rows.row}, k, begin, end, mine);
      fx = {mine, end - begin, k, k, 1};
    }
    const Real* residual = f.plus.rows ? f.plus.rows + begin * f.plus.ld : nullptr;
    gemm(fx, weight, f.y + begin * n, n, {f.plus.bias, residual, f.plus.ld});
  });
}

// --- backward ---------------------------------------------------------------------------------------------------------------

namespace {

// The partial sums and the workspaces of one backward pass.
class BackwardPass {
 public:
  explicit BackwardPass(const LinearBackward& b)
      : b_(b),
        m_(b.g.rows),
        k_(b.weight.cols),
        n_(b.weight.rows),
        block_(row_block(m_)),
        want_w_(b.dweight),
        want_d_(b.dx || b.dgain || b.dshift),
        keep_f_(b.front != Front::none && want_w_),
        cut_(m_, n_ * k_),
        dw_(want_w_ ? cut_.count * n_ * k_ : 0),
        sums_(static_cast<size_t>(cut_.count * row_sums())),
        f_((keep_f_ ? (m_ + cut_.count - 1) / cut_.count : 0) * k_),
        d_(b.front != Front::none && want_d_ ? block_ * k_ : 0),
        x_(b.x.bits ? block_ * k_ : 0),
        unwanted_(b.front == Front::norm && want_d_ && !b.dx ? block_ * k_ : 0),
        norm_sums_(b.front == Front::norm && want_d_ ? 2 * k_ : 0),
        weight_(want_d_ ? b.weight : Matrix{}) {}

  void run() {
    if (want_d_) note_product({MatrixProduct::Kind::input_gradient, m_, k_, n_, 1});
    if (want_w_) note_product({MatrixProduct::Kind::weight_gradient, n_, k_, m_, 1});
    const PartTimer whole(Part::gemm);
    parallel_for(cut_.count, [&](int64_t s) { segment(s); });
    if (want_w_) add_partials(dw_.data(), cut_.count, n_, k_, b_.dweight.data, b_.dweight.ld, b_.dweight.add);
    add_sums(sums_.data(), cut_.count, row_sums(), n_, b_.dbias);
    add_sums(sums_.data() + n_, cut_.count, row_sums(), k_, b_.dgain);
    add_sums(sums_.data() + n_ + k_, cut_.count, row_sums(), k_, b_.dshift);
  }

 private:
  // Per segment: db [n], dgain [k], dshift [k].
  int64_t row_sums() const { return n_ + 2 * k_; }

  void segment(int64_t s) {
    const PartTimer rest(Part::norm_activation);
    const int64_t first = cut_.begin(s), last = cut_.begin(s + 1);
    double* const sums = sums_.data() + s * row_sums();
    Real* const fx = f_.mine();
    for (int64_t begin = first; begin < last; begin += block_) {
      block(begin, std::min(begin + block_, last), sums, fx + (begin - first) * k_);
    }
    if (!want_w_) return;
    Matrix f{fx, last - first, k_, k_, 1};  // f(X) of the whole segment, for one long product
    if (b_.front == Front::none) {
      const RowsIn x = b_.x.rows(first, last, 0, k_, nullptr);
      f = {x.data, last - first, k_, x.ld, 1};
    }
    gemm(b_.g.rows_of(first, last).transposed(), f, dw_.data() + s * n_ * k_, k_);
  }

  // Rows [begin, end): their part of `sums`, their dX, and their f(X) if dW needs it.
  void block(int64_t begin, int64_t end, double* sums, Real* fx) {
    const auto& simd = simd::kernels();
    const int64_t rows = end - begin;
    const Matrix g = b_.g.rows_of(begin, end);
    if (b_.dbias) simd.sum_rows(g.data, g.row, sums, rows, n_);
    const RowsIn x = b_.x.rows(begin, end, 0, k_, x_.mine());
    if (b_.front == Front::none) {
      if (!b_.dx) return;
      Real* const dx = b_.dx.data + begin * b_.dx.ld;
      return gemm(g, weight_, dx, b_.dx.ld, {nullptr, b_.dx.add ? dx : nullptr, b_.dx.ld});
    }
    if (want_d_) {
      Real* const d = d_.mine();
      gemm(g, weight_, d, k_);
      // The kernel of LayerNorm writes dX even if nobody wants it.
      Real* const dx = b_.dx ? b_.dx.data + begin * b_.dx.ld : unwanted_.mine();
      const int64_t lddx = b_.dx ? b_.dx.ld : k_;
      if (b_.front == Front::gelu) {
        for (int64_t r = 0; r < rows; ++r) {
          simd.gelu_backward(x.data + r * x.ld, d + r * k_, dx + r * lddx, b_.dx.add, keep_f_ ? fx + r * k_ : nullptr, k_);
        }
        return;  // the same kernel has written f(X)
      }
      norm_backward_rows({{d, k_},
                          x,
                          b_.norm.gain,
                          b_.norm.mean + begin,
                          b_.norm.rstd + begin,
                          {dx, lddx, b_.dx.add},
                          sums + n_,
                          sums + n_ + k_,
                          norm_sums_.mine()},
                         rows, k_);
    }
    if (keep_f_) front_rows(b_.front, b_.norm, true, x, k_, begin, end, fx);
  }

  const LinearBackward& b_;
  int64_t m_, k_, n_, block_;
  bool want_w_, want_d_, keep_f_;
  Segments cut_;
  Storage dw_;
  std::vector<double> sums_;
  Workspace f_, d_, x_, unwanted_;  // f(X) of a segment; D, widened X and an unwanted dX of a block
  Workspace norm_sums_;             // for norm_backward_rows
  RightOperand weight_;
};

}  // namespace

void linear_backward(const LinearBackward& b) { BackwardPass(b).run(); }

}  // namespace hv
