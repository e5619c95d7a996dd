// Convolution as im2col + matrix product, and pooling. Images are [N, C, H, W].
//
// One image's windows are unfolded into the columns of a matrix [C kh kw, Ho Wo] in a scratch that stays in the cache; backward
// unfolds again instead of keeping it. Images are read in place, whatever their strides.
#include <algorithm>

#include "core/kernels/gemm.h"
#include "core/ops.h"
#include "core/ops/map.h"
#include "core/ops/sink.h"

namespace hv {
namespace {

struct Window {  // how a kernel slides over an image
  int64_t channels, height, width, kh, kw, stride, padding, out_h, out_w;

  Window(const char* op, const Tensor& x, int64_t kh_, int64_t kw_, int64_t stride_, int64_t padding_)
      : kh(kh_), kw(kw_), stride(stride_), padding(padding_) {
    HV_CHECK(x.rank() == 4 && x.size(1) * x.size(2) * x.size(3) > 0, op, ": images must be [N, C, H, W]: ", x.shape());
    HV_CHECK(kh > 0 && kw > 0 && stride > 0 && padding >= 0, op, ": bad kernel ", kh, " x ", kw, ", stride ", stride,
             " or padding ", padding);
    channels = x.size(1);
    height = x.size(2);
    width = x.size(3);
    HV_CHECK(height + 2 * padding >= kh && width + 2 * padding >= kw, op, ": kernel ", kh, " x ", kw,
             " is larger than the padded image of ", x.shape(), ", padding ", padding);
    out_h = (height + 2 * padding - kh) / stride + 1;
    out_w = (width + 2 * padding - kw) / stride + 1;
  }
  int64_t out_size() const { return out_h * out_w; }
  int64_t rows() const { return channels * kh * kw; }

  // body(y, x) for each pixel under the kernel at output (oy, ox) that lies inside the image.
  template <class Body>
  void inside(int64_t oy, int64_t ox, const Body& body) const {
    for (int64_t i = 0; i < kh; ++i) {
      const int64_t y = oy * stride + i - padding;
      for (int64_t j = 0; y >= 0 && y < height && j < kw; ++j) {
        const int64_t x = ox * stride + j - padding;
        if (x >= 0 && x < width) body(y, x);
      }
    }
  }
};

// body(place, c, y, x, lo, hi) for each run of Wo places in the matrix [C kh kw, Ho Wo]: those in [lo, hi) show the pixels
// x, x + stride, ... of row y of channel c; the others lie outside the image.
template <class Body>
void for_runs(const Window& w, const Body& body) {
  int64_t place = 0;
  for (int64_t c = 0; c < w.channels; ++c) {
    for (int64_t i = 0; i < w.kh; ++i) {
      for (int64_t j = 0; j < w.kw; ++j) {
        const int64_t left = j - w.padding;  // the pixel under output 0
        const int64_t lo = left >= 0 ? 0 : std::min(w.out_w, (w.stride - 1 - left) / w.stride);
        const int64_t hi = left >= w.width ? lo : std::clamp((w.width - 1 - left) / w.stride + 1, lo, w.out_w);
        for (int64_t oy = 0; oy < w.out_h; ++oy, place += w.out_w) {
          const int64_t y = oy * w.stride + i - w.padding;
          const bool in = y >= 0 && y < w.height;
          body(place, c, y, left + lo * w.stride, in ? lo : w.out_w, in ? hi : w.out_w);
        }
      }
    }
  }
}

void unfold(const Window& w, const Real* image, const Strides& s, Real* columns) {
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

Matrix dense(const Real* data, int64_t rows, int64_t cols) { return {data, rows, cols, cols, 1}; }

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride, int64_t padding) {
  HV_CHECK(x.rank() == 4 && weight.rank() == 4 && x.size(1) == weight.size(1), "conv2d: channels differ: images ", x.shape(),
           ", weight ", weight.shape());
  const int64_t batch = x.size(0), out = weight.size(0);
  HV_CHECK(!bias.defined() || bias.shape() == Shape{out}, "conv2d: bias ", bias.shape(), " for weight ", weight.shape());
  const Window w("conv2d", x, weight.size(2), weight.size(3), stride, padding);
  const int64_t k = w.rows(), n = w.out_size();
  const Tensor kernel = weight.detach().contiguous();
  const Tensor offset = bias.defined() ? bias.detach().contiguous() : bias;
  Tensor y = Tensor::empty({batch, out, w.out_h, w.out_w});
  {
    Storage scratch(k * n * num_threads());
    Real* const result = y.mutable_data();
    parallel_for(batch, [&](int64_t b) {
      Real *columns = scratch.data() + k * n * thread_index(), *to = result + b * out * n;
      unfold(w, x.data() + b * x.strides()[0], x.strides(), columns);
      for (int64_t o = 0; offset.defined() && o < out; ++o) std::fill_n(to + o * n, n, offset.data()[o]);
      gemm(dense(kernel.data(), out, k), dense(columns, k, n), to, n, 1, offset.defined() ? 1 : 0);
    });
  }
  if (!wants_grad({x, weight, bias})) return y;
  // Per image, with G [O, Ho Wo]:  dx = fold(W^T G),  dW = sum G unfold(x)^T,  db = sum of G's rows
  return record("conv2d", y, {x, weight, bias}, [=, sx = Saved(x), sw = Saved(kernel)](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, batch, w.channels * w.height * w.width), dw(in, 1, out, k);
    const Tensor& images = sx.get();
    const Real* const kernels = sw.get().data();
    const Segments cut(batch * n, out * k);  // each segment of images sums its own dW
    Storage partial(dw ? cut.count * out * k : 0), scratch(cut.count * k * n);
    parallel_for(cut.count, [&](int64_t s) {
      Real *columns = scratch.data() + s * k * n, *sum = partial.data() + s * out * k;
      const int64_t begin = batch * s / cut.count, end = batch * (s + 1) / cut.count;
      if (dw) std::fill_n(sum, out * k, static_cast<Real>(0));
      for (int64_t b = begin; b < end; ++b) {
        const Matrix grad = dense(g.data() + b * out * n, out, n);
        if (dw) {
          unfold(w, images.data() + b * images.strides()[0], images.strides(), columns);
          gemm(grad, dense(columns, k, n).transposed(), sum, k, 1, 1);
        }
        if (dx) {
          Real* to = dx.data + b * dx.ld;
          if (!dx.add) std::fill_n(to, dx.ld, static_cast<Real>(0));
          gemm(dense(kernels, out, k).transposed(), grad, columns, n);
          fold_add(w, columns, to);
        }
      }
    });
    if (dw) add_partials(partial.data(), cut.count, out, k, dw.data, k, dw.add);
    if (in[2]) in[2].add(sum(g, {0, 2, 3}));
    dx.finish();
    dw.finish();
  });
}

Tensor max_pool2d(const Tensor& x, int64_t kernel, int64_t stride, int64_t padding) {
  const Window w("max_pool2d", x, kernel, kernel, stride, padding);
  HV_CHECK(padding <= kernel / 2, "max_pool2d: padding ", padding, " is more than half of the kernel, ", kernel);
  const int64_t planes = x.size(0) * w.channels, n = w.out_size();
  Tensor y = Tensor::empty({x.size(0), w.channels, w.out_h, w.out_w});
  Real* const out = y.mutable_data();
  std::vector<int64_t> chosen(static_cast<size_t>(planes * n));  // where in its plane each maximum is
  parallel_for(planes, [&](int64_t p) {
    const Real* plane = x.data() + p / w.channels * x.strides()[0] + p % w.channels * x.strides()[1];
    for (int64_t o = 0; o < n; ++o) {
      int64_t place = -1;
      Real top = 0;
      w.inside(o / w.out_w, o % w.out_w, [&](int64_t i, int64_t j) {
        const Real v = plane[i * x.strides()[2] + j * x.strides()[3]];
        if (place >= 0 && !(v > top || (v != v && top == top))) return;  // NaN wins: it must stay visible
        top = v;
        place = i * w.width + j;
      });
      out[p * n + o] = top;
      chosen[static_cast<size_t>(p * n + o)] = place;
    }
  });
  // dx at the (first) maximum of each window += g
  return record("max_pool2d", y, {x}, [=, places = std::move(chosen)](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, planes, w.height * w.width);
    parallel_for(planes, [&](int64_t p) {
      Real* plane = dx.data + p * w.height * w.width;
      if (!dx.add) std::fill_n(plane, w.height * w.width, static_cast<Real>(0));
      for (int64_t o = 0; o < n; ++o) plane[places[static_cast<size_t>(p * n + o)]] += g.data()[p * n + o];
    });
    dx.finish();
  });
}

Tensor avg_pool2d(const Tensor& x, int64_t kernel, int64_t stride) {
  const Window w("avg_pool2d", x, kernel, kernel, stride, 0);
  const int64_t planes = x.size(0) * w.channels, n = w.out_size();
  const Real scale = 1 / static_cast<Real>(kernel * kernel);
  Tensor y = Tensor::empty({x.size(0), w.channels, w.out_h, w.out_w});
  Real* const out = y.mutable_data();
  parallel_for(planes, [&](int64_t p) {
    const Real* plane = x.data() + p / w.channels * x.strides()[0] + p % w.channels * x.strides()[1];
    for (int64_t o = 0; o < n; ++o) {
      Real total = 0;
      w.inside(o / w.out_w, o % w.out_w,
               [&](int64_t i, int64_t j) { total += plane[i * x.strides()[2] + j * x.strides()[3]]; });
      out[p * n + o] = total * scale;
    }
  });
  // dx += g / kernel^2 for each window a pixel lies in
  return record("avg_pool2d", y, {x}, [=](const Tensor& g, const Edges& in) {
    const Sink dx(in, 0, planes, w.height * w.width);
    parallel_for(planes, [&](int64_t p) {
      Real* plane = dx.data + p * w.height * w.width;
      if (!dx.add) std::fill_n(plane, w.height * w.width, static_cast<Real>(0));
      for (int64_t o = 0; o < n; ++o) {
        w.inside(o / w.out_w, o % w.out_w,
                 [&](int64_t i, int64_t j) { plane[i * w.width + j] += g.data()[p * n + o] * scale; });
      }
    });
    dx.finish();
  });
}

}  // namespace hv
