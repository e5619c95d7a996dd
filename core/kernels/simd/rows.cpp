// Row kernels: GELU, LayerNorm, bias and sums. See core/kernels/simd.h for what each does.
#include "core/kernels/simd/vec.h"

namespace hv::simd::HV_LEVEL {

// --- GELU: y = x Phi(x), y' = Phi(x) + x phi(x) -----------------------------------------------------------------------------

static inline Vec gelu_of(Vec x) {
  Vec cdf, pdf;
  normal_cdf_pdf(x, cdf, pdf);
  return x * cdf;
}

void gelu(const Real* x, Real* y, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) { lanes.store(y + i, gelu_of(lanes.load(x + i))); });
}

void gelu_backward(const Real* x, const Real* d, Real* dx, bool add, Real* y, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) {
    const Vec value = lanes.load(x + i);
    Vec cdf, pdf;
    normal_cdf_pdf(value, cdf, pdf);
    const Vec slope = lanes.load(d + i) * (cdf + value * pdf);
    lanes.store(dx + i, add ? lanes.load(dx + i) + slope : slope);
    if (y) lanes.store(y + i, value * cdf);
  });
}

// --- LayerNorm over n channels: xhat = (x - mean) * rstd, y = xhat * gain + shift -------------------------------------------

void layer_norm(const Real* x, int64_t ldx, const Real* gain, const Real* shift, Real eps, Real* y, int64_t ldy, Real* mean,
                Real* rstd, int64_t rows, int64_t n) {
  const Real inverse = static_cast<Real>(1) / static_cast<Real>(n);
  for (int64_t r = 0; r < rows; ++r) {
    const Real* row = x + r * ldx;
    Vec sum{}, square{};
    for_vectors(n, [&](int64_t i, auto lanes) { sum += lanes.load(row + i); });
    mean[r] = sum_lanes(sum) * inverse;
    // A pass of its own: with a large mean, the squares of the values themselves would lose the digits of the variance.
    for_vectors(n, [&](int64_t i, auto lanes) {
      const Vec c = lanes.keep(lanes.load(row + i) - mean[r]);
      square += c * c;
    });
    rstd[r] = static_cast<Real>(1 / __builtin_sqrt(static_cast<double>(sum_lanes(square) * inverse + eps)));
  }
  layer_norm_again(x, ldx, gain, shift, mean, rstd, y, ldy, rows, n);
}

void layer_norm_again(const Real* x, int64_t ldx, const Real* gain, const Real* shift, const Real* mean, const Real* rstd,
                      Real* y, int64_t ldy, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    const Real m = mean[r], s = rstd[r];
    for_vectors(n, [&](int64_t i, auto lanes) {
      lanes.store(y + i, (lanes.load(x + i) - m) * s * lanes.load(gain + i) + lanes.load(shift + i));
    });
  }
}

// With h = d * gain: dx = rstd * (h - mean(h) - xhat * mean(h * xhat)); dgain = sum d * xhat; dshift = sum d.
void layer_norm_backward(const Real* d, int64_t ldd, const Real* x, int64_t ldx, const Real* gain, const Real* mean,
                         const Real* rstd, Real* dx, int64_t lddx, bool add, Real* dgain, Real* dshift, int64_t rows,
                         int64_t n) {
  const Real inverse = static_cast<Real>(1) / static_cast<Real>(n);
  for (int64_t r = 0; r < rows; ++r, d += ldd, x += ldx, dx += lddx) {
    const Real m = mean[r], s = rstd[r];
    Vec sum_h{}, sum_hx{};
    for_vectors(n, [&](int64_t i, auto lanes) {
      const Vec g = lanes.load(d + i), xhat = (lanes.load(x + i) - m) * s, h = g * lanes.load(gain + i);
      sum_h += h;
      sum_hx += h * xhat;
      lanes.store(dgain + i, lanes.load(dgain + i) + g * xhat);
      lanes.store(dshift + i, lanes.load(dshift + i) + g);
    });
    const Real a = sum_lanes(sum_h) * inverse, b = sum_lanes(sum_hx) * inverse;
    for_vectors(n, [&](int64_t i, auto lanes) {
      const Vec xhat = (lanes.load(x + i) - m) * s;
      const Vec out = s * (lanes.load(d + i) * lanes.load(gain + i) - a - xhat * b);
      lanes.store(dx + i, add ? lanes.load(dx + i) + out : out);
    });
  }
}

// --- rows: bias, residual, sums ---------------------------------------------------------------------------------------------

void fill_rows(const Real* bias, const Real* residual, int64_t ldr, Real* y, int64_t ldy, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, y += ldy) {
    for (int64_t i = 0; i < n; ++i) y[i] = bias ? bias[i] : static_cast<Real>(0);
    if (!residual) continue;
    accumulate(residual, y, n);
    residual += ldr;
  }
}

void sum_rows(const Real* x, int64_t ldx, Real* out, int64_t rows, int64_t n) {
  // Eight rows at a time, so that `out` is read and written once for eight.
  constexpr int64_t kRows = 8;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows, x += kRows * ldx) {
    for (int64_t i = 0; i < n; ++i) {
      Real s = 0;
      for (int64_t k = 0; k < kRows; ++k) s += x[k * ldx + i];
      out[i] += s;
    }
  }
  for (; r < rows; ++r, x += ldx) accumulate(x, out, n);
}

void to_bf16(const Real* x, uint16_t* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const auto value = static_cast<float>(x[i]);
    const uint32_t bits = __builtin_bit_cast(uint32_t, value), rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    y[i] = static_cast<uint16_t>(value == value ? rounded : 0x7FC0u);
  }
}
void from_bf16(const uint16_t* x, Real* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = __builtin_bit_cast(float, static_cast<uint32_t>(x[i]) << 16);
}

void accumulate(const Real* x, Real* y, int64_t n) {
  for_vectors(n, [&](int64_t i, auto lanes) { lanes.store(y + i, lanes.load(y + i) + lanes.load(x + i)); });
}

void sum_squares(const Real* x, int64_t n, double* out) {
  // Sixteen running sums in double: vectorises, and the order is fixed.
  double lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int64_t k = 0; k < 16; ++k) lanes[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  }
  for (; i < n; ++i) lanes[i % 16] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (double lane : lanes) total += lane;
  *out = total;
}

}  // namespace hv::simd::HV_LEVEL
