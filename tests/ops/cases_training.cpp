#include <cmath>

#include "tests/ops/cases.h"

namespace hv::test {
namespace {

using Shapes = std::vector<std::vector<Shape>>;

OpRow convolution(bool bias, int64_t stride, int64_t padding) {
  Shapes shapes = {
      {{2, 2, 4, 5}, {3, 2, 3, 2}}, {{1, 1, 3, 3}, {1, 1, 1, 1}}, {{2, 3, 3, 3}, {2, 3, 3, 3}}, {{0, 2, 3, 3}, {2, 2, 2, 2}}};
  Shapes large = {{{6, 3, 17, 15}, {8, 3, 3, 3}}};
  for (Shapes* sets : {&shapes, &large}) {
    for (auto& set : *sets) {
      if (bias) set.push_back({set[1][0]});
    }
  }
  return {concat("conv2d stride ", stride, " padding ", padding, bias ? " + bias" : ""),
          shapes,
          [=](const Tensors& t) { return hv::conv2d(t[0], t[1], bias ? t[2] : Tensor(), stride, padding); },
          [=](const Arrays& a) { return conv2d(a[0], a[1], bias ? &a[2] : nullptr, stride, padding); },
          -2,
          2,
          large};
}

// The twin is that of layer_norm, on images with their channels last.
Array channels_last(const Array& x, bool back) {
  const Shape& s = x.shape;
  Array y(back ? Shape{s[0], s[3], s[1], s[2]} : Shape{s[0], s[2], s[3], s[1]});
  for_index(s, [&](const Dims& i) { y(back ? Dims{i[0], i[3], i[1], i[2]} : Dims{i[0], i[2], i[3], i[1]}) = x(i); });
  return y;
}

// The noise of an operation for the same shape and key: the result of the operation on ones; the test of the noise itself is in
// op_properties.cpp.
OpRow noise(const char* name, Tensor (*op)(const Tensor&, double, NoiseKey)) {
  const NoiseKey key{3, 5, 7};
  return {name,
          {{{2, 3, 4}}, {{8}}, {{1, 5}}, {{3, 0}}, {{2, 3, 2, 2}}},
          [=](const Tensors& t) { return op(t[0], 0.3, key); },
          [=](const Arrays& a) {
            Array y = a[0];
            const std::vector<double> factor = op(Tensor::ones(y.shape), 0.3, key).to_vector();
            for (size_t i = 0; i < factor.size(); ++i) y.values[i] *= factor[i];
            return y;
          },
          -2,
          2,
          {{{90, 200}}}};
}

// The same wanted probabilities on both sides.
double wanted(const Dims& i) { return std::exp(std::sin(static_cast<double>(3 * i[0] + 5 * i[1]))) / 4; }
Tensor wanted_tensor(const Shape& shape) {
  Array t(shape);
  for_index(shape, [&](const Dims& i) { t(i) = static_cast<double>(static_cast<Real>(wanted(i))); });
  return Tensor::from(t.values, shape);
}
std::vector<int64_t> labels_for(const Shape& shape) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < shape[0]; ++i) labels.push_back((7 * i + 2) % shape[1]);
  return labels;
}

// loss = - mean_i sum_k ((1 - e) t_ik + e / K) log softmax(x)_ik
OpRow cross_entropy_row(bool soft, double e) {
  return {
      concat("cross_entropy with ", soft ? "soft targets" : "labels", ", smoothing ", e),
      {{{3, 5}}, {{1, 4}}, {{4, 1}}, {{6, 2}}},
      [=](const Tensors& t) {
        return soft ? cross_entropy(t[0], wanted_tensor(t[0].shape()), e) : cross_entropy(t[0], labels_for(t[0].shape()), e);
      },
      [=](const Arrays& a) {
        const Array p = softmax(a[0], 1, true), t(wanted_tensor(a[0].shape));
        const std::vector<int64_t> labels = labels_for(a[0].shape);
        Array loss(Shape{});
        for_index(p.shape, [&](const Dims& i) {
          const double target = soft ? t(i) : labels[static_cast<size_t>(i[0])] == i[1];
          loss.values[0] -= ((1 - e) * target + e / static_cast<double>(p.shape[1])) * p(i) / static_cast<double>(p.shape[0]);
        });
        return loss;
      },
      -3,
      3,
      {{{500, 30}}}};
}

// Targets and weights of the losses per label: the same on both sides.
double yes_or_no(int64_t i) { return (5 * i + 2) % 3 == 0; }
double label_weight(int64_t k, bool positive) {
  return positive ? 0.5 + 0.75 * static_cast<double>(k % 4) : 2 - 0.25 * static_cast<double>(k % 3);
}
Tensor row_of(int64_t n, const std::function<double(int64_t)>& value) {
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(value(i));
  return Tensor::from(values, {n});
}

// loss = mean of a t (1 - p)^gamma (-log p) + b (1 - t) p^gamma (-log (1 - p))
OpRow label_loss_row(double gamma, bool weighted) {
  return {concat(gamma == 0 ? "bce_with_logits" : "focal_loss", weighted ? " with weights" : "", ", gamma ", gamma),
          {{{3, 5}}, {{1, 1}}, {{6}}, {{2, 2, 3}}},
          [=](const Tensors& t) {
            const int64_t labels = t[0].size(-1);
            LabelWeights weights;
            if (weighted) weights.positive = row_of(labels, [](int64_t k) { return label_weight(k, true); });
            if (weighted) weights.negative = row_of(labels, [](int64_t k) { return label_weight(k, false); });
            const Tensor targets = row_of(t[0].numel(), yes_or_no).reshape(t[0].shape());
            return gamma == 0 ? bce_with_logits(t[0], targets, weights) : focal_loss(t[0], targets, gamma, weights);
          },
          [=](const Arrays& a) {
            Array loss(Shape{});
            const int64_t labels = a[0].shape[-1], n = std::ssize(a[0].values);
            for (int64_t i = 0; i < n; ++i) {
              const bool yes = yes_or_no(i) == 1;
              const double p = 1 / (1 + std::exp(-a[0].values[static_cast<size_t>(i)])), right = yes ? p : 1 - p;
              const double weight = weighted ? label_weight(i % labels, yes) : 1;
              loss.values[0] -= weight * std::pow(1 - right, gamma) * std::log(right) / static_cast<double>(n);
            }
            return loss;
          },
          -3,
          3,
          {{{300, 70}}}};
}

}  // namespace

std::vector<OpRow> training_rows() {
  std::vector<OpRow> rows = {
      convolution(false, 1, 0),   convolution(true, 1, 1),       convolution(true, 2, 0),     convolution(false, 3, 2),
      noise("dropout", dropout),  noise("drop_path", drop_path), cross_entropy_row(false, 0), cross_entropy_row(false, 0.1),
      cross_entropy_row(true, 0), cross_entropy_row(true, 0.2),
  };
  constexpr double eps = 1e-3;  // large enough to matter
  rows.push_back({"channel_norm",
                  {{{2, 3, 2, 3}, {3}, {3}}, {{1, 17, 1, 1}, {17}, {17}}, {{1, 2, 5, 4}, {2}, {2}}, {{0, 2, 3, 3}, {2}, {2}}},
                  [](const Tensors& t) { return hv::channel_norm(t[0], t[1], t[2], eps); },
                  [](const Arrays& a) { return channels_last(layer_norm(channels_last(a[0], false), a[1], a[2], eps), true); },
                  -2,
                  2,
                  {{{4, 6, 19, 21}, {6}, {6}}}});
  for (const double gamma : {0.0, 0.5, 2.0}) {
    for (const bool weighted : {false, true}) rows.push_back(label_loss_row(gamma, weighted));
  }
  const Shapes images = {{{2, 2, 4, 5}}, {{1, 1, 3, 3}}, {{0, 2, 3, 3}}}, large = {{{4, 5, 33, 35}}};
  const auto pool = [&](Pool kind, int64_t kernel, int64_t stride, int64_t padding) {
    const bool max = kind == Pool::max;
    rows.push_back(
        {concat(max ? "max" : "avg", "_pool2d ", kernel, "/", stride, "/", padding), images,
         [=](const Tensors& t) { return max ? max_pool2d(t[0], kernel, stride, padding) : avg_pool2d(t[0], kernel, stride); },
         [=](const Arrays& a) { return pool2d(kind, a[0], kernel, stride, padding); }, -2, 2, large});
  };
  pool(Pool::max, 2, 2, 0);
  pool(Pool::max, 3, 1, 1);
  pool(Pool::max, 3, 2, 1);
  pool(Pool::mean, 2, 2, 0);
  pool(Pool::mean, 3, 1, 0);
  pool(Pool::mean, 1, 2, 0);
  rows.push_back({"bce_with_logits",
                  {{{3, 4}, {3, 4}}, {{}, {}}, {{1, 1}, {1, 1}}, {{2, 2, 2}, {2, 2, 2}}},
                  [](const Tensors& t) { return bce_with_logits(t[0], t[1]); },
                  [](const Arrays& a) {
                    Array loss(Shape{});
                    for (size_t i = 0; i < a[0].values.size(); ++i) {
                      const double x = a[0].values[i], t = a[1].values[i];
                      loss.values[0] += (std::log(1 + std::exp(x)) - x * t) / static_cast<double>(a[0].values.size());
                    }
                    return loss;
                  },
                  -3,
                  3,
                  {{{300, 70}, {300, 70}}}});
  return rows;
}

}  // namespace hv::test
