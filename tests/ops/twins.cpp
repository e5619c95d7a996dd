#include "tests/ops/twins.h"

#include <algorithm>
#include <cmath>

namespace hv::test {

// --- elementwise and reductions ---------------------------------------------------------------------------------------------

Twin unary(double (*f)(double)) {
  return [f](const Arrays& in) {
    Array y = in[0];
    for (double& v : y.values) v = f(v);
    return y;
  };
}

Twin binary(double (*f)(double, double)) {
  return [f](const Arrays& in) {
    Array y(broadcast_shapes(in[0].shape, in[1].shape, "twin"));
    for_index(y.shape, [&](const Dims& i) { y(i) = f(in[0](i), in[1](i)); });
    return y;
  };
}

Array reduced(const Array& x, const Dims& dims, bool keep, double start, double (*fold)(double, double)) {
  Shape wide = x.shape;
  for (int d = 0; d < wide.size(); ++d) {
    const bool named = std::any_of(dims.begin(), dims.end(), [&](int64_t e) { return e == d || e + wide.size() == d; });
    if (named || dims.empty()) wide[d] = 1;
  }
  Array y(wide, start);
  for_index(x.shape, [&](const Dims& i) { y(i) = fold(y(i), x(i)); });
  if (keep) return y;
  Shape narrow;
  for (int d = 0; d < wide.size(); ++d) {
    const bool named = std::any_of(dims.begin(), dims.end(), [&](int64_t e) { return e == d || e + wide.size() == d; });
    if (!named && !dims.empty()) narrow.push_back(wide[d]);
  }
  return {narrow, y.values};
}

// --- products, normalisation, attention -------------------------------------------------------------------------------------

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

namespace {

Dims with_last(const Dims& index, int64_t second_last, int64_t last) {
  Dims out = index;
  out[-2] = second_last;
  out[-1] = last;
  return out;
}

Dims with(const Dims& index, int dim, int64_t value) {
  Dims out = index;
  out[dim] = value;
  return out;
}

}  // namespace

Array matmul(const Array& a, const Array& b) {
  Shape batch_a = a.shape, batch_b = b.shape;
  for (Shape* s : {&batch_a, &batch_b}) (*s)[-1] = (*s)[-2] = 1;
  Shape shape = broadcast_shapes(batch_a, batch_b, "twin");
  shape[-2] = a.shape[-2];
  shape[-1] = b.shape[-1];
  Array y(shape);
  for_index(shape, [&](const Dims& i) {
    double& sum = y(i);
    for (int64_t k = 0; k < a.shape[-1]; ++k) sum += a(with_last(i, i[-2], k)) * b(with_last(i, k, i[-1]));
  });
  return y;
}

Array linear(const Array& x, const Array& w, const Array* bias, const Array* residual) {
  Shape shape = x.shape;
  shape[-1] = w.shape[0];
  Array y(shape);
  for_index(shape, [&](const Dims& i) {
    double& sum = y(i);
    for (int64_t k = 0; k < w.shape[1]; ++k) sum += x(with(i, -1, k)) * w({i[-1], k});
    if (bias) sum += (*bias)({i[-1]});
    if (residual) sum += (*residual)(i);
  });
  return y;
}

Array softmax(const Array& x, int dim, bool log) {
  Array y(x.shape);
  const int64_t n = x.shape[dim];
  if (n == 0) return y;
  for_index(with(x.shape, dim, 1), [&](const Dims& i) {
    double top = x(i), total = 0;
    for (int64_t k = 0; k < n; ++k) top = std::max(top, x(with(i, dim, k)));
    for (int64_t k = 0; k < n; ++k) total += std::exp(x(with(i, dim, k)) - top);
    for (int64_t k = 0; k < n; ++k) {
      const double z = x(with(i, dim, k)) - top;
      y(with(i, dim, k)) = log ? z - std::log(total) : std::exp(z) / total;
    }
  });
  return y;
}

Array layer_norm(const Array& x, const Array& gain, const Array& shift, double eps) {
  Array y(x.shape);
  const int64_t n = x.shape[-1];
  for_index(with(x.shape, -1, 1), [&](const Dims& i) {
    double mean = 0, variance = 0;
    for (int64_t k = 0; k < n; ++k) mean += x(with(i, -1, k)) / static_cast<double>(n);
    for (int64_t k = 0; k < n; ++k) variance += std::pow(x(with(i, -1, k)) - mean, 2) / static_cast<double>(n);
    for (int64_t k = 0; k < n; ++k)
      y(with(i, -1, k)) = (x(with(i, -1, k)) - mean) / std::sqrt(variance + eps) * gain({k}) + shift({k});
  });
  return y;
}

Array attention(const Array& qkv, int64_t head_dim, bool stacked, double multiplier) {
  const int64_t batch = qkv.shape[0], tokens = qkv.shape[1], heads = qkv.shape[2] / (3 * head_dim);
  Array y({batch, tokens, heads * head_dim});
  std::vector<double> p(static_cast<size_t>(tokens));
  const auto entry = [&](int64_t b, int64_t t, int64_t h, int64_t which, int64_t d) {
    return qkv({b, t, (stacked ? h * 3 + which : which * heads + h) * head_dim + d});
  };
  for_index({batch, heads, tokens}, [&](const Dims& i) {
    const int64_t b = i[0], h = i[1], t = i[2];
    double total = 0;
    for (int64_t s = 0; s < tokens; ++s) {
      double score = 0;
      for (int64_t d = 0; d < head_dim; ++d) score += entry(b, t, h, 0, d) * entry(b, s, h, 1, d);
      total += p[static_cast<size_t>(s)] =
          std::exp(multiplier > 0 ? score * multiplier : score / std::sqrt(static_cast<double>(head_dim)));
    }
    for (int64_t s = 0; s < tokens; ++s) {
      for (int64_t d = 0; d < head_dim; ++d)
        y({b, t, h * head_dim + d}) += p[static_cast<size_t>(s)] / total * entry(b, s, h, 2, d);
    }
  });
  return y;
}

Array unequal_attention(const Array& qkv, const std::vector<std::vector<int64_t>>& sizes, double multiplier) {
  const int64_t batch = qkv.shape[0], tokens = qkv.shape[1];
  Array y({batch, tokens, qkv.shape[2] / 3});
  for (size_t head = 0; head < sizes[0].size(); ++head) {
    std::vector<int64_t> in[3], out;  // the columns of this head
    int64_t at = 0;
    for (const std::vector<int64_t>& piece : sizes) {
      for (size_t h = 0; h < piece.size(); at += piece[h++]) {
        for (int64_t i = 0; h == head && i < piece[h]; ++i) {
          for (int64_t which = 0; which < 3; ++which) in[which].push_back(3 * at + which * piece[h] + i);
          out.push_back(at + i);
        }
      }
    }
    const auto d = std::ssize(out);
    if (d == 0) continue;
    Array alone({batch, tokens, 3 * d});
    for_index(alone.shape, [&](const Dims& i) { alone(i) = qkv({i[0], i[1], in[i[2] / d][static_cast<size_t>(i[2] % d)]}); });
    const Array result = attention(alone, d, true, multiplier);
    for_index(result.shape, [&](const Dims& i) { y({i[0], i[1], out[static_cast<size_t>(i[2])]}) = result(i); });
  }
  return y;
}

// --- moving data ------------------------------------------------------------------------------------------------------------

Array moved(const Array& x, const Shape& shape, const std::function<Dims(const Dims&)>& where) {
  Array y(shape);
  for_index(shape, [&](const Dims& i) { y(i) = x(where(i)); });
  return y;
}

Array cat(const Arrays& parts, int dim) {
  Shape shape = parts[0].shape;
  for (size_t p = 1; p < parts.size(); ++p) shape[dim] += parts[p].shape[dim];
  Array y(shape);
  int64_t begin = 0;
  for (const Array& part : parts) {
    for_index(part.shape, [&](const Dims& i) { y(with(i, dim, begin + i[dim])) = part(i); });
    begin += part.shape[dim];
  }
  return y;
}

// --- convolution ------------------------------------------------------------------------------------------------------------

namespace {

bool inside(const Shape& image, int64_t y, int64_t x) { return y >= 0 && y < image[2] && x >= 0 && x < image[3]; }

Shape slid(const Shape& image, int64_t channels, int64_t kh, int64_t kw, int64_t stride, int64_t padding) {
  return {image[0], channels, (image[2] + 2 * padding - kh) / stride + 1, (image[3] + 2 * padding - kw) / stride + 1};
}

}  // namespace

Array conv2d(const Array& x, const Array& w, const Array* bias, int64_t stride, int64_t padding) {
  Array out(slid(x.shape, w.shape[0], w.shape[2], w.shape[3], stride, padding));
  for_index(out.shape, [&](const Dims& i) {
    double& sum = out(i);
    if (bias) sum += (*bias)({i[1]});
    for_index({w.shape[1], w.shape[2], w.shape[3]}, [&](const Dims& k) {
      const int64_t row = i[2] * stride + k[1] - padding, col = i[3] * stride + k[2] - padding;
      if (inside(x.shape, row, col)) sum += x({i[0], k[0], row, col}) * w({i[1], k[0], k[1], k[2]});
    });
  });
  return out;
}

Array pool2d(Pool kind, const Array& x, int64_t kernel, int64_t stride, int64_t padding) {
  Array out(slid(x.shape, x.shape[1], kernel, kernel, stride, padding), kind == Pool::max ? -1e300 : 0);
  for_index(out.shape, [&](const Dims& i) {
    double& value = out(i);
    for_index({kernel, kernel}, [&](const Dims& k) {
      const int64_t row = i[2] * stride + k[0] - padding, col = i[3] * stride + k[1] - padding;
      if (!inside(x.shape, row, col)) return;
      const double v = x({i[0], i[1], row, col});
      value = kind == Pool::max ? std::max(value, v) : value + v / static_cast<double>(kernel * kernel);
    });
  });
  return out;
}

}  // namespace hv::test
