// Each fused operation equals its plain composition: values and gradients, whatever the layout of the inputs.
#include <doctest/doctest.h>

#include "core/ops.h"
#include "tests/gradcheck.h"

namespace hv::test {
namespace {

constexpr bool kDouble = sizeof(Real) == sizeof(double);

struct Pair {
  std::string name;
  std::vector<Shape> shapes;
  std::function<Tensor(const Tensors&)> fused, composed;
};

// x [.., K], weight [N, K], bias [N], residual [.., N]
std::vector<Pair> pairs() {
  const auto attend = [](auto op) { return [op](const Tensors& t) { return op(t[0], 8); }; };
  const auto four = [](auto op) { return [op](const Tensors& t) { return op(t[0], t[1], t[2], t[3]); }; };
  const auto plain = [](auto op) { return [op](const Tensors& t) { return op(t[0], t[1], {}, {}); }; };
  const auto normed = [](auto op) { return [op](const Tensors& t) { return op(t[0], t[1], t[2], 1e-6, t[3], t[4]); }; };
  const auto norm = [](auto op) { return [op](const Tensors& t) { return op(t[0], t[1], t[2], 1e-6); }; };
  const auto three = [](auto op) { return [op](const Tensors& t) { return op(t[0], t[1], t[2]); }; };
  const std::vector<Shape> few{{2, 9, 20}, {12, 20}, {12}, {2, 9, 12}}, many{{5, 70, 20}, {12, 20}, {12}, {5, 70, 12}};
  const auto smooth = [](const Tensors& t) { return exp(t[1].detach()) * 0.25; };  // targets get no gradient
  const auto halves = [](const Tensors& t) { return sigmoid(t[0].detach()) * 0.5; };
  const auto uneven = [] { return LabelWeights{Tensor::full({10}, 3), Tensor::scalar(0.5)}; };
  std::vector<Pair> all;
  for (const auto& shapes : {few, many}) {
    all.push_back({"linear", shapes, four(linear), four(linear_composed)});
    all.push_back({"gelu_linear", shapes, four(gelu_linear), four(gelu_linear_composed)});
    all.push_back({"linear without bias", {shapes[0], shapes[1]}, plain(linear), plain(linear_composed)});
    all.push_back({"norm_linear", {shapes[0], {20}, {20}, {12, 20}, {12}}, normed(norm_linear), normed(norm_linear_composed)});
    all.push_back({"layer_norm", {shapes[0], {20}, {20}}, norm(layer_norm), norm(layer_norm_composed)});
  }
  all.push_back({"channel_norm", {{3, 20, 5, 7}, {20}, {20}}, norm(channel_norm), norm(channel_norm_composed)});
  all.push_back({"attention", {{3, 17, 2 * 3 * 8}}, attend(attention), attend(attention_composed)});
  all.push_back({"embed_tokens", {{3, 9, 8}, {8}, {10, 8}}, three(embed_tokens), three(embed_tokens_composed)});
  all.push_back({"cross_entropy",
                 {{40, 10}, {40, 10}},
                 [=](const Tensors& t) { return cross_entropy(t[0], smooth(t), 0.1); },
                 [=](const Tensors& t) { return cross_entropy_composed(t[0], smooth(t), 0.1); }});
  all.push_back({"focal_loss",
                 {{40, 10}},
                 [=](const Tensors& t) { return focal_loss(t[0], halves(t), 1.5, uneven()); },
                 [=](const Tensors& t) { return focal_loss_composed(t[0], halves(t), 1.5, uneven()); }});
  return all;
}

// A leaf that requires a gradient, and its view of `shape`: the leaf itself, or a part of a larger one, or a transposed one.
std::pair<Tensor, Tensor> input(const Shape& shape, int layout, Stream& stream) {
  Shape base = shape;
  if (layout == 1) base[-1] += 3;
  if (layout == 2 && shape.size() >= 2) std::swap(base[-1], base[-2]);
  const Tensor leaf = Tensor::normal(base, 0, 1, stream).requires_grad_();
  if (layout == 1) return {leaf, leaf.slice(-1, 1, 1 + shape[-1])};
  if (layout == 2 && shape.size() >= 2) return {leaf, leaf.transpose(-1, -2)};
  return {leaf, leaf};
}

// The result, then the gradients of all leaves, for one random cotangent.
Tensors results(const std::function<Tensor(const Tensors&)>& op, const std::vector<Shape>& shapes, int layout) {
  Stream stream(3, Purpose::test);
  Tensors leaves, views;
  for (const Shape& shape : shapes) {
    const auto [leaf, view] = input(shape, layout, stream);
    leaves.push_back(leaf);
    views.push_back(view);
  }
  const Tensor y = op(views);
  y.backward(Tensor::normal(y.shape(), 0, 1, stream));
  Tensors all{y.detach()};
  for (const Tensor& leaf : leaves) all.push_back(leaf.grad());
  return all;
}

}  // namespace

TEST_CASE("each fused operation equals its composition, values and gradients, in every layout") {
  for (const Pair& pair : pairs()) {
    for (int layout = 0; layout < 3; ++layout) {
      const Tensors fused = results(pair.fused, pair.shapes, layout), plain = results(pair.composed, pair.shapes, layout);
      for (size_t i = 0; i < fused.size(); ++i) {
        REQUIRE(fused[i].defined() == plain[i].defined());
        if (!fused[i].defined()) continue;  // targets
        const double apart = static_cast<double>(max(abs(fused[i] - plain[i])).item());
        const double size = static_cast<double>(max(abs(plain[i])).item());
        CHECK_MESSAGE(apart <= (kDouble ? 1e-12 : 2e-5) * (1 + size), pair.name, " of ", pair.shapes[0], ", layout ", layout,
                      i == 0 ? ": the result" : ": a gradient", " is ", apart, " apart");
      }
    }
  }
}

}  // namespace hv::test
