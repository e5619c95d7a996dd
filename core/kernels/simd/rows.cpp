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

// The sum of term(i, lanes) over [0, n), a Vec at a time; term is 0 in lanes that do not exist. Many numbers are added up in
// blocks, because a long sum in float loses digits.
template <class Term>
static inline double sum_of(int64_t n, const Term& term) {
  constexpr int64_t kBlock = 4096;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    Vec sum{};
    for_vectors(n - begin < kBlock ? n - begin : kBlock, [&](int64_t i, auto lanes) { sum += term(begin + i, lanes); });
    total += static_cast<double>(sum_lanes(sum));
  }
  return total;
}

// --- LayerNorm over n channels: xhat = (x - mean) * rstd, y = xhat * gain + shift -------------------------------------------

void layer_norm(const Real* x, int64_t ldx, const Real* gain, const Real* shift, Real eps, Real* y, int64_t ldy, Real* mean,
                Real* rstd, int64_t rows, int64_t n) {
  const double count = static_cast<double>(n);
  for (int64_t r = 0; n > 0 && r < rows; ++r) {
    const Real *const row = x + r * ldx, first = row[0];
    // The mean is `first` plus the mean distance from it: exact for rows of one value, and closer for rows far from 0.
    const double away = sum_of(n, [&](int64_t i, auto lanes) { return lanes.keep(lanes.load(row + i) - first); });
    const Real m = static_cast<Real>(static_cast<double>(first) + away / count);
    // A pass of its own: with a large mean, the squares of the values themselves would lose the digits of the variance.
    const double square = sum_of(n, [&](int64_t i, auto lanes) {
      const Vec c = lanes.keep(lanes.load(row + i) - m);
      return c * c;
    });
    mean[r] = m;
    rstd[r] = static_cast<Real>(1 / __builtin_sqrt(square / count + static_cast<double>(eps)));
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
  constexpr int64_t kBlock = 4096;
  const double count = static_cast<double>(n);
  for (int64_t r = 0; r < rows; ++r, d += ldd, x += ldx, dx += lddx) {
    const Real m = mean[r], s = rstd[r];
    double total_h = 0, total_hx = 0;
    for (int64_t begin = 0; begin < n; begin += kBlock) {  // blocks: see sum_of
      Vec sum_h{}, sum_hx{};
      for_vectors(n - begin < kBlock ? n - begin : kBlock, [&](int64_t at, auto lanes) {
        const int64_t i = begin + at;
        const Vec g = lanes.load(d + i), xhat = (lanes.load(x + i) - m) * s, h = g * lanes.load(gain + i);
        sum_h += h;
        sum_hx += h * xhat;
        lanes.store(dgain + i, lanes.load(dgain + i) + g * xhat);
        lanes.store(dshift + i, lanes.load(dshift + i) + g);
      });
      total_h += static_cast<double>(sum_lanes(sum_h));
      total_hx += static_cast<double>(sum_lanes(sum_hx));
    }
    const Real a = static_cast<Real>(total_h / count), b = static_cast<Real>(total_hx / count);
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

void sum_rows(const Real* x, int64_t ldx, double* out, int64_t rows, int64_t n) {
  // Sixteen rows at a time, so that `out` is read and written once for sixteen.
  constexpr int64_t kRows = 16;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows, x += kRows * ldx) {
    for (int64_t i = 0; i < n; ++i) {
      Real s = 0;
      for (int64_t k = 0; k < kRows; ++k) s += x[k * ldx + i];
      out[i] += s;
    }
  }
  for (; r < rows; ++r, x += ldx) {
    for (int64_t i = 0; i < n; ++i) out[i] += x[i];
  }
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
