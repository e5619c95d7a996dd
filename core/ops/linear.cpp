// y = f(x) W^T + b + residual, with f the identity, GELU or LayerNorm: nine tenths of a transformer's time.
//
// x is seen as M rows of K channels, W is [N, K]. f(x) is made block by block in a scratch that stays in the cache, used, and
// forgotten:
// only x is kept for backward, which makes f(x) again. Against saving f(x) this halves the memory of training for about 3 %
// more time.
//
// backward, with d = g W [M, K]:   dx = f'(x) d,   dW = g^T f(x),   db = sum of g's rows,   dresidual = g.
// M is cut into segments that each sum their own partial dW; the partial sums are added in order, straight into the rectangle
// of the gradient that W is a view of.
#include <algorithm>

#include "core/kernels/gemm.h"
#include "core/kernels/product_list.h"
#include "core/kernels/simd.h"
#include "core/ops.h"
#include "core/ops/kept_rows.h"
#include "core/ops/sink.h"
#include "core/parallel.h"
#include "core/timing.h"

namespace hv {
namespace {

enum class Front { none, gelu, norm };

struct Norm {  // parameters of a LayerNorm front, and what its forward pass found
  Tensor gain, shift;
  double eps = 0;
  Tensor mean, rstd;                                  // [M]
  Real *found_mean = nullptr, *found_rstd = nullptr;  // the same, while the forward pass writes them
};

int64_t row_count(const Tensor& x) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.size(i);
  return rows;
}

// [M, K] with unit stride inside: a view where the layout allows it, else a counted copy. BLAS also wants rows that do not
// overlap, as those of an expanded tensor do.
Tensor as_rows(const Tensor& x, bool for_blas = true) {
  const Tensor flat = x.reshape({row_count(x), x.size(-1)});
  const int64_t row = flat.strides()[0], col = flat.strides()[1], rows = flat.size(0), cols = flat.size(1);
  const bool fits = (col == 1 || cols <= 1) && (!for_blas || row >= cols || rows <= 1);
  return fits ? flat : flat.contiguous();
}

Matrix matrix(const Tensor& t) { return {t.data(), t.size(0), t.size(1), t.strides()[0], t.strides()[1]}; }
Matrix block_of(const Tensor& t, int64_t begin, int64_t end) {
  return {t.data() + begin * t.strides()[0], end - begin, t.size(1), t.strides()[0], t.strides()[1]};
}

// One scratch of `size` elements for each thread.
class Scratch {
 public:
  explicit Scratch(int64_t size) : size_((size + 15) / 16 * 16), memory_(size_ * num_threads()) {}
  Real* mine() { return memory_.data() + size_ * thread_index(); }

 private:
  int64_t size_;
  Storage memory_;
};

// f(x) of rows [begin, end), the first of them at `from`: the rows themselves, or computed into scratch.
Matrix front_rows(Front front, const Real* from, int64_t ldx, int64_t k, const Norm& norm, bool again, int64_t begin,
                  int64_t end, Real* scratch) {
  const auto& simd = simd::kernels();
  const int64_t rows = end - begin;
  if (front == Front::none) return {from, rows, k, ldx, 1};
  if (front == Front::gelu) {
    if (ldx == k) {
      simd.gelu(from, scratch, rows * k);
    } else {
      for (int64_t r = 0; r < rows; ++r) simd.gelu(from + r * ldx, scratch + r * k, k);
    }
  } else if (again) {
    simd.layer_norm_again(from, ldx, norm.gain.data(), norm.shift.data(), norm.mean.data() + begin, norm.rstd.data() + begin,
                          scratch, k, rows, k);
  } else {
    simd.layer_norm(from, ldx, norm.gain.data(), norm.shift.data(), static_cast<Real>(norm.eps), scratch, k,
                    norm.found_mean + begin, norm.found_rstd + begin, rows, k);
  }
  return {scratch, rows, k, k, 1};
}

Plus plus_of(const Tensor& bias, const Tensor& residual, int64_t begin) {
  Plus plus{bias.defined() ? bias.data() : nullptr};
  if (residual.defined()) plus.rows = residual.data() + begin * residual.strides()[0], plus.ld = residual.strides()[0];
  return plus;
}

// One image, or a few: too few rows to share out, so f(x) is made whole, and the cores share the columns of y.
void forward_few(Front front, const Tensor& x, const Norm& norm, const Tensor& weight, const Tensor& bias,
                 const Tensor& residual, const Tensor& y, const KeptRows& kept) {
  const int64_t m = x.size(0), k = x.size(1), n = weight.size(0);
  const Matrix rows = matrix(x);
  if (kept.wants_copy()) kept.put(rows.data, rows.row, 0, m);
  Storage made(front == Front::none ? 0 : m * k);
  if (front != Front::none) {
    const PartTimer timer(Part::norm_activation);
    parallel_blocks(m, 16, [&](int64_t begin, int64_t end) {
      front_rows(front, rows.data + begin * rows.row, rows.row, k, norm, false, begin, end, made.data() + begin * k);
    });
  }
  gemm_columns(front == Front::none ? rows : Matrix{made.data(), m, k, k, 1}, matrix(weight).transposed(), y.mutable_data(), n,
               plus_of(bias, residual, 0));
}

void forward(Front front, const Tensor& x, const Norm& norm, const Tensor& weight, const Tensor& bias, const Tensor& residual,
             const Tensor& y, const KeptRows& kept) {
  const int64_t m = x.size(0), k = x.size(1), n = weight.size(0), block = row_block(m);
  note_product({MatrixProduct::Kind::forward, m, n, k, 1});
  if (m <= kRowBlock) return forward_few(front, x, norm, weight, bias, residual, y, kept);
  Scratch scratch(front == Front::none ? 0 : block * k);
  Real* const out = y.mutable_data();
  const RightOperand wt(matrix(weight).transposed());
  const PartTimer whole(Part::gemm);  // and the wait for the last thread; the rest of a block is charged below
  parallel_blocks(m, block, [&](int64_t begin, int64_t end) {
    const PartTimer rest(Part::norm_activation);
    const Matrix rows = block_of(x, begin, end);
    if (kept.wants_copy()) kept.put(rows.data, rows.row, begin, end);
    gemm(front_rows(front, rows.data, rows.row, k, norm, false, begin, end, scratch.mine()), wt, out + begin * n, n,
         plus_of(bias, residual, begin));
  });
}

struct Sinks {
  Sink x, weight, bias, gain, shift;
};

void add_row(const Real* partials, int64_t count, int64_t stride, int64_t n, const Sink& to) {
  for (int64_t i = 0; to && i < n; ++i) {
    Real sum = to.add ? to.data[i] : 0;
    for (int64_t s = 0; s < count; ++s) sum += partials[s * stride + i];
    to.data[i] = sum;
  }
}

void backward(Front front, const Tensor& g, const KeptRows& kept, const Norm& norm, const Tensor& weight, const Sinks& sinks) {
  const auto& simd = simd::kernels();
  const int64_t m = g.size(0), k = weight.size(1), n = weight.size(0);
  const KeptRows::Opened x = kept.open();
  const Segments cut(m, n * k);
  const bool want_w(sinks.weight), want_d = sinks.x || sinks.gain || sinks.shift;
  if (want_d) note_product({MatrixProduct::Kind::input_gradient, m, k, n, 1});
  if (want_w) note_product({MatrixProduct::Kind::weight_gradient, n, k, m, 1});
  // Partial sums of one segment: dW [n, k], db [n], dgain [k], dshift [k].
  Storage dw(want_w ? cut.count * n * k : 0);
  const int64_t row_sums = n + 2 * k;
  Storage sums(cut.count * row_sums);
  std::fill_n(sums.data(), cut.count * row_sums, static_cast<Real>(0));

  const int64_t longest = (m + cut.count - 1) / cut.count, block = row_block(m);
  const bool keep_f = front != Front::none && want_w;  // f(x) of a whole segment, for one long product
  Scratch f_scratch(keep_f ? longest * k : 0), d_scratch(front != Front::none && want_d ? block * k : 0);
  // Where nobody wants dx, its kernels still need somewhere to write.
  Scratch x_room(kept.wants_copy() ? block * k : 0);
  Scratch unwanted(front == Front::norm && want_d && !sinks.x ? block * k : 0);

  const RightOperand w(want_d ? matrix(weight) : Matrix{});
  const PartTimer whole(Part::gemm);
  parallel_for(cut.count, [&](int64_t s) {
    const PartTimer rest(Part::norm_activation);
    const int64_t first = cut.begin(s), last = cut.begin(s + 1);
    Real *db = sums.data() + s * row_sums, *dgain = db + n, *dshift = dgain + k, *fx = f_scratch.mine();
    for (int64_t begin = first; begin < last; begin += block) {
      const int64_t end = std::min(begin + block, last), rows = end - begin;
      const Matrix gb = block_of(g, begin, end);
      if (sinks.bias) simd.sum_rows(gb.data, gb.row, db, rows, n);
      const auto [xb, ldx] = x.rows(begin, end, 0, k, x_room.mine());
      Real* fx_block = fx + (begin - first) * k;
      if (front == Front::none) {
        if (sinks.x) {
          Real* dx = sinks.x.data + begin * sinks.x.ld;
          gemm(gb, w, dx, sinks.x.ld, {nullptr, sinks.x.add ? dx : nullptr, sinks.x.ld});
        }
        continue;
      }
      if (!want_d) {
        if (keep_f) front_rows(front, xb, ldx, k, norm, true, begin, end, fx_block);
        continue;
      }
      Real* d = d_scratch.mine();
      gemm(gb, w, d, k);
      Real* dx = sinks.x ? sinks.x.data + begin * sinks.x.ld : unwanted.mine();
      const int64_t lddx = sinks.x ? sinks.x.ld : k;
      if (front == Front::gelu) {
        for (int64_t r = 0; r < rows; ++r) {
          simd.gelu_backward(xb + r * ldx, d + r * k, dx + r * lddx, sinks.x.add, keep_f ? fx_block + r * k : nullptr, k);
        }
      } else {
        simd.layer_norm_backward(d, k, xb, ldx, norm.gain.data(), norm.mean.data() + begin, norm.rstd.data() + begin, dx, lddx,
                                 sinks.x.add, dgain, dshift, rows, k);
        if (keep_f) front_rows(front, xb, ldx, k, norm, true, begin, end, fx_block);
      }
    }
    if (want_w) {
      Matrix f{fx, last - first, k, k, 1};
      if (front == Front::none) {
        const auto [rows, ld] = x.rows(first, last, 0, k, nullptr);
        f = {rows, last - first, k, ld, 1};
      }
      gemm(block_of(g, first, last).transposed(), f, dw.data() + s * n * k, k);
    }
  });

  if (want_w) add_partials(dw.data(), cut.count, n, k, sinks.weight.data, sinks.weight.ld, sinks.weight.add);
  add_row(sums.data(), cut.count, row_sums, n, sinks.bias);
  add_row(sums.data() + n, cut.count, row_sums, k, sinks.gain);
  add_row(sums.data() + n + k, cut.count, row_sums, k, sinks.shift);
}

Tensor apply(const char* op, Front front, const Tensor& x, const Norm& norm, const Tensor& weight, const Tensor& bias,
             const Tensor& residual) {
  HV_CHECK(x.rank() >= 1 && weight.rank() == 2 && x.size(-1) == weight.size(1), op, ": inner dimensions differ: ", x.shape(),
           " x ", weight.shape(), " transposed");
  const int64_t n = weight.size(0), k = weight.size(1);
  HV_CHECK(!bias.defined() || bias.shape() == Shape{n}, op, ": bias ", bias.shape(), " for weight ", weight.shape());
  Shape out = x.shape();
  out[-1] = n;
  HV_CHECK(!residual.defined() || residual.shape() == out, op, ": residual ", residual.shape(), " for a result ", out);

  // The memory as rows; the history stays with x itself, whose gradient the edge takes in x's shape.
  const Tensor rows = as_rows(x.detach()), w = as_rows(weight.detach());
  const int64_t m = rows.size(0);
  const bool normed = front == Front::norm;
  Norm kept = norm;
  if (normed) {
    kept.gain = norm.gain.detach().contiguous();
    kept.shift = norm.shift.detach().contiguous();
    kept.mean = Tensor::empty({m});
    kept.rstd = Tensor::empty({m});
    kept.found_mean = kept.mean.mutable_data();
    kept.found_rstd = kept.rstd.mutable_data();
  }
  const Tensor y = Tensor::empty(out);
  std::vector<Tensor> inputs{x, weight, bias, residual};
  if (normed) inputs.insert(inputs.end(), {norm.gain, norm.shift});
  const bool recorded = wants_grad(inputs);
  const KeptRows kept_x(rows, recorded, front == Front::gelu);  // other rows have other readers, which keep them alive
  forward(front, rows, kept, w, bias.defined() ? bias.detach().contiguous() : bias,
          residual.defined() ? as_rows(residual.detach(), false) : residual, y, kept_x);
  if (!recorded) return y;
  return record(op, y, inputs,
                [=, sw = Saved(w), sgain = normed ? Saved(kept.gain) : Saved(), sshift = normed ? Saved(kept.shift) : Saved()](
                    const Tensor& g, const Edges& in) {
                  Norm now = kept;
                  if (normed) {
                    now.gain = sgain.get();
                    now.shift = sshift.get();
                  }
                  Sinks sinks{{in, 0, m, k}, {in, 1, n, k}, {in, 2, n, 0}, {}, {}};
                  if (normed) {
                    sinks.gain = {in, 4, k, 0};
                    sinks.shift = {in, 5, k, 0};
                  }
                  backward(front, g.view({m, n}), kept_x, now, sw.get(), sinks);
                  for (const Sink* s : {&sinks.x, &sinks.weight, &sinks.bias, &sinks.gain, &sinks.shift}) s->finish();
                  in[3].add(g);
                });
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual) {
  return apply("linear", Front::none, x, {}, weight, bias, residual);
}

Tensor gelu_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual) {
  return apply("gelu_linear", Front::gelu, x, {}, weight, bias, residual);
}

Tensor norm_linear(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps, const Tensor& weight,
                   const Tensor& bias) {
  const Shape channels{x.size(-1)};
  HV_CHECK(gain.shape() == channels && shift.shape() == channels, "norm_linear: gain ", gain.shape(), " and shift ",
           shift.shape(), " for ", x.shape());
  Norm norm;
  norm.gain = gain;
  norm.shift = shift;
  norm.eps = eps;
  return apply("norm_linear", Front::norm, x, norm, weight, bias, {});
}

}  // namespace hv
