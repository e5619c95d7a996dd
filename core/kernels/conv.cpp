#include "core/kernels/conv.h"

#include <algorithm>

#include "core/kernels/blas.h"
#include "core/kernels/gemm.h"
#include "core/parallel.h"

namespace hv {
namespace {

Matrix dense(const Real* data, int64_t rows, int64_t cols) { return {data, rows, cols, cols, 1}; }

// --- windows as columns -----------------------------------------------------------------------------------------------------

// body(place, c, y, x, lo, hi) for each run of Wo places in the matrix [C kh kw, Ho Wo]. Places lo to hi - 1 of the run show
// the pixels x, x + stride, ... of row y of channel c; the other places lie outside the image.
template <class Body>
void for_runs(const Window& w, const Body& body) {
  int64_t place = 0;
  for (int64_t c = 0; c < w.channels; ++c) {
    for (int64_t i = 0; i < w.kh; ++i) {
      for (int64_t j = 0; j < w.kw; ++j) {
        const int64_t left = j - w.padding;  // the pixel under output 0
        const int64_t lo = left >= 0 ? 0 : std::min(w.out_w, (w.stride - 1 - left) / w.stride);
        const int64_t hi = left >= w.width ? lo : std::clamp((w.width - 1 - left) / w.stride + 1, lo, w.out_w);
        for (int64_t oy = 0; oy < w.out_h; ++oy) {
          const int64_t y = oy * w.stride + i - w.padding;
          const bool in = y >= 0 && y < w.height;
          body(place, c, y, left + lo * w.stride, in ? lo : w.out_w, in ? hi : w.out_w);
          place += w.out_w;
        }
      }
    }
  }
}

void unfold(const Window& w, const Images& images, int64_t index, Real* columns) {
  const Strides& s = images.strides;
  const Real* const image = images.data + index * s[0];
  const int64_t sc = s[1], sy = s[2], step = s[3] * w.stride, sx = s[3];
  for_runs(w, [=, &w](int64_t place, int64_t c, int64_t y, int64_t x, int64_t lo, int64_t hi) {
    Real* const to = columns + place;
    const Real* const from = image + c * sc + y * sy + x * sx;
    std::fill_n(to, lo, static_cast<Real>(0));
    for (int64_t o = lo; o < hi; ++o) to[o] = from[(o - lo) * step];
    std::fill_n(to + hi, w.out_w - hi, static_cast<Real>(0));
  });
}

// The transpose of unfold: each element of the matrix is added to the pixel it came from. The image is dense.
void fold_add(const Window& w, const Real* columns, Real* image) {
  for_runs(w, [=, &w](int64_t place, int64_t c, int64_t y, int64_t x, int64_t lo, int64_t hi) {
    Real* const to = image + (c * w.height + y) * w.width + x;
    for (int64_t o = lo; o < hi; ++o) to[(o - lo) * w.stride] += columns[place + o];
  });
}

}  // namespace

// --- convolution ------------------------------------------------------------------------------------------------------------

void conv_forward(const Window& w, const Images& x, const Real* weight, const Real* bias, int64_t out, Real* y) {
  const int64_t k = w.rows(), n = w.out_size();
  prepare_blas();
  Storage workspace(numel({k, n, num_threads()}));
  parallel_for(x.count, [&](int64_t b) {
    Real *columns = workspace.data() + k * n * thread_index(), *to = y + b * out * n;
    unfold(w, x, b, columns);
    for (int64_t o = 0; bias && o < out; ++o) std::fill_n(to + o * n, n, bias[o]);
    gemm(dense(weight, out, k), dense(columns, k, n), to, n, 1, bias ? 1 : 0);
  });
}

void conv_backward(const Window& w, const Images& x, const Real* weight, const Real* g, int64_t out, const RowsOut& dx,
                   const RowsOut& dweight) {
  const int64_t k = w.rows(), n = w.out_size();
  const Segments cut(x.count * n, out * k);  // each segment of images sums its own dW
  Storage partial(dweight ? cut.count * out * k : 0), workspace(numel({cut.count, k, n}));
  prepare_blas();
  parallel_for(cut.count, [&](int64_t s) {
    Real *columns = workspace.data() + s * k * n, *sum = partial.data() + s * out * k;
    const int64_t begin = x.count * s / cut.count, end = x.count * (s + 1) / cut.count;
    if (dweight) std::fill_n(sum, out * k, static_cast<Real>(0));
    for (int64_t b = begin; b < end; ++b) {
      const Matrix grad = dense(g + b * out * n, out, n);
      if (dweight) {
        unfold(w, x, b, columns);
        gemm(grad, dense(columns, k, n).transposed(), sum, k, 1, 1);
      }
      if (dx) {
        Real* to = dx.data + b * dx.ld;
        if (!dx.add) std::fill_n(to, dx.ld, static_cast<Real>(0));
        gemm(dense(weight, out, k).transposed(), grad, columns, n);
        fold_add(w, columns, to);
      }
    }
  });
  if (dweight) add_partials(partial.data(), cut.count, out, k, dweight.data, k, dweight.add);
}

// --- pooling ----------------------------------------------------------------------------------------------------------------

namespace {

// body(y, x) for each pixel under the kernel at output `o` that lies inside the image.
template <class Body>
void for_inside(const Window& w, int64_t o, const Body& body) {
  const int64_t top = o / w.out_w * w.stride - w.padding, left = o % w.out_w * w.stride - w.padding;
  for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + w.kh, w.height); ++y) {
    for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + w.kw, w.width); ++x) body(y, x);
  }
}

const Real* plane_of(const Window& w, const Images& x, int64_t plane) {
  return x.data + plane / w.channels * x.strides[0] + plane % w.channels * x.strides[1];
}

// The gradient of one plane, ready to be added to.
Real* gradient_of(const Window& w, const RowsOut& dx, int64_t plane) {
  Real* const to = dx.data + plane * w.height * w.width;
  if (!dx.add) std::fill_n(to, w.height * w.width, static_cast<Real>(0));
  return to;
}

}  // namespace

void max_pool_forward(const Window& w, const Images& x, Real* y, int64_t* chosen) {
  const int64_t n = w.out_size(), sy = x.strides[2], sx = x.strides[3];
  parallel_for(x.count * w.channels, [&](int64_t p) {
    const Real* plane = plane_of(w, x, p);
    for (int64_t o = 0; o < n; ++o) {
      int64_t place = -1;
      Real top = 0;
      for_inside(w, o, [&](int64_t i, int64_t j) {
        const Real v = plane[i * sy + j * sx];
        if (place >= 0 && !(v > top || (v != v && top == top))) return;  // NaN wins: it must stay visible
        top = v;
        place = i * w.width + j;
      });
      y[p * n + o] = top;
      chosen[p * n + o] = place;
    }
  });
}

void max_pool_backward(const Window& w, int64_t planes, const Real* g, const int64_t* chosen, const RowsOut& dx) {
  const int64_t n = w.out_size();
  parallel_for(planes, [&](int64_t p) {
    Real* const to = gradient_of(w, dx, p);
    for (int64_t o = 0; o < n; ++o) to[chosen[p * n + o]] += g[p * n + o];
  });
}

void avg_pool_forward(const Window& w, const Images& x, Real* y) {
  const int64_t n = w.out_size(), sy = x.strides[2], sx = x.strides[3];
  const double count = static_cast<double>(w.kh * w.kw);
  parallel_for(x.count * w.channels, [&](int64_t p) {
    const Real* plane = plane_of(w, x, p);
    for (int64_t o = 0; o < n; ++o) {
      double total = 0;
      for_inside(w, o, [&](int64_t i, int64_t j) { total += plane[i * sy + j * sx]; });
      y[p * n + o] = static_cast<Real>(total / count);
    }
  });
}

void avg_pool_backward(const Window& w, int64_t planes, const Real* g, const RowsOut& dx) {
  const double count = static_cast<double>(w.kh * w.kw);
  // The outputs [first, last) whose kernel covers pixel i of a row or column.
  const auto first = [&](int64_t i, int64_t kernel) { return i < kernel ? 0 : (i - kernel) / w.stride + 1; };
  const auto last = [&](int64_t i, int64_t outputs) { return std::min(i / w.stride + 1, outputs); };
  parallel_for(planes, [&](int64_t p) {
    Real* const to = gradient_of(w, dx, p);
    const Real* const from = g + p * w.out_size();
    for (int64_t y = 0; y < w.height; ++y) {
      for (int64_t x = 0; x < w.width; ++x) {
        double total = 0;
        for (int64_t i = first(y, w.kh); i < last(y, w.out_h); ++i) {
          for (int64_t j = first(x, w.kw); j < last(x, w.out_w); ++j) total += from[i * w.out_w + j];
        }
        to[y * w.width + x] += static_cast<Real>(total / count);
      }
    }
  });
}

}  // namespace hv
