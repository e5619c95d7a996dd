// y = f(x) W^T + bias + residual, with f the identity, GELU or LayerNorm. The loops are in core/kernels/linear.cpp.
//
// Of x and f(x), only x is kept for backward, which recomputes f(x).
#include "core/kernels/linear.h"

#include "core/ops.h"
#include "core/ops/kept_rows.h"
#include "core/ops/sink.h"

namespace hv {

// --- the plain compositions -------------------------------------------------------------------------------------------------

Tensor linear_composed(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual) {
  Tensor y = matmul(x, weight.transpose(0, 1));
  if (bias.defined()) y = y + bias;
  if (residual.defined()) y = y + residual;
  return y;
}

Tensor gelu_linear_composed(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual) {
  return linear_composed(gelu(x), weight, bias, residual);
}

Tensor norm_linear_composed(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps, const Tensor& weight,
                            const Tensor& bias) {
  return linear_composed(layer_norm_composed(x, gain, shift, eps), weight, bias);
}

// --- the fused operation ----------------------------------------------------------------------------------------------------

namespace {

int64_t row_count(const Tensor& x) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.size(i);
  return rows;
}

// [M, K] with unit stride inside: a view if the layout allows one, else a counted copy. BLAS also wants rows that do not
// overlap, as those of an expanded tensor do.
Tensor as_rows(const Tensor& x, bool for_blas = true) {
  const Tensor flat = x.reshape({row_count(x), x.size(-1)});
  const int64_t row = flat.strides()[0], col = flat.strides()[1], rows = flat.size(0), cols = flat.size(1);
  const bool fits = (col == 1 || cols <= 1) && (!for_blas || row >= cols || rows <= 1);
  return fits ? flat : flat.contiguous();
}

Tensor dense(const Tensor& t) { return t.defined() ? t.detach().contiguous() : t; }
const Real* data_or_null(const Tensor& t) { return t.defined() ? t.data() : nullptr; }
Matrix matrix(const Tensor& t) { return {t.data(), t.size(0), t.size(1), t.strides()[0], t.strides()[1]}; }

// x [.., K], weight [N, K], bias [N] or undefined, residual [.., N] or undefined; gain and shift [K] for Front::norm.
Tensor fused(const char* op, Front front, const Tensor& x, const Tensor& gain, const Tensor& shift, double eps,
             const Tensor& weight, const Tensor& bias, const Tensor& residual) {
  HV_CHECK(x.rank() >= 1, op, ": x needs at least 1 dimension: ", x.shape());
  HV_CHECK(weight.rank() == 2, op, ": weight must be [N, K]: ", weight.shape());
  HV_CHECK(x.size(-1) == weight.size(1), op, ": inner dimensions differ: ", x.shape(), " x ", weight.shape(), " transposed");
  const int64_t n = weight.size(0), k = weight.size(1);
  HV_CHECK(!bias.defined() || bias.shape() == Shape{n}, op, ": bias ", bias.shape(), " for weight ", weight.shape());
  Shape out = x.shape();
  out[-1] = n;
  HV_CHECK(!residual.defined() || residual.shape() == out, op, ": residual ", residual.shape(), " for a result ", out);

  // The kernel sees memory as rows; the graph sees x, weight and the others in the shapes they have.
  const Tensor rows = as_rows(x.detach()), w = as_rows(weight.detach());
  const Tensor b = dense(bias), gains = dense(gain), shifts = dense(shift);
  const Tensor r = residual.defined() ? as_rows(residual.detach(), false) : residual;
  const int64_t m = rows.size(0);
  // Per row: mean and 1 / standard deviation.
  const std::shared_ptr<Storage> moments = front == Front::norm ? std::make_shared<Storage>(2 * m) : nullptr;
  const auto norm = [eps, m, moments](const Tensor& gain_now, const Tensor& shift_now) {
    if (!moments) return NormFront{};
    return NormFront{gain_now.data(), shift_now.data(), static_cast<Real>(eps), moments->data(), moments->data() + m};
  };
  const std::vector<Tensor> inputs{x, weight, bias, residual, gain, shift};
  const bool recorded = wants_grad(inputs);
  // GELU's x is the result of a linear layer, which nothing else reads. Other x have other readers, which keep them anyway.
  const KeptRows kept(rows, recorded, front == Front::gelu);
  const Tensor y = Tensor::empty(out);
  const Plus plus{data_or_null(b), data_or_null(r), r.defined() ? r.strides()[0] : 0};
  linear_forward({front, norm(gains, shifts), matrix(rows), matrix(w), plus, y.mutable_data(), kept.copy()});
  if (!recorded) return y;
  // With d = g W [M, K]:  dx = f'(x) d,  dW = g^T f(x),  db = sum of g's rows,  dresidual = g;
  // dgain and dshift: see layer_norm_backward in core/kernels/simd/rows.cpp.
  return record(
      op, y, inputs,
      [=, saved_w = Saved(w), saved_gain = Saved(gains), saved_shift = Saved(shifts)](const Tensor& g, const Edges& in) {
        const Sink dx(in, 0, m, k), dw(in, 1, n, k), db(in, 2, 1, n), dgain(in, 4, 1, k), dshift(in, 5, 1, k);
        linear_backward({front, norm(saved_gain.get(), saved_shift.get()), matrix(g.view({m, n})), matrix(saved_w.get()),
                         kept.open(), dx, dw, db, dgain, dshift});
        for (const Sink* s : {&dx, &dw, &db, &dgain, &dshift}) s->finish();
        in[3].add(g);
      });
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual) {
  return fused("linear", Front::none, x, {}, {}, 0, weight, bias, residual);
}

Tensor gelu_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual) {
  return fused("gelu_linear", Front::gelu, x, {}, {}, 0, weight, bias, residual);
}

Tensor norm_linear(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps, const Tensor& weight,
                   const Tensor& bias) {
  HV_CHECK(x.rank() >= 1, "norm_linear: x needs at least 1 dimension: ", x.shape());
  const Shape channels{x.size(-1)};
  HV_CHECK(gain.shape() == channels && shift.shape() == channels, "norm_linear: gain ", gain.shape(), " and shift ",
           shift.shape(), " for ", x.shape());
  return fused("norm_linear", Front::norm, x, gain, shift, eps, weight, bias, {});
}

}  // namespace hv
