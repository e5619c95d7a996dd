// What the twins do not show: NaN stays visible, extreme values do not overflow, no hidden copies, the same bits on any number
// of threads, and noise of the right kind. Errors: test_op_errors.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/parallel.h"
#include "tests/error_of.h"
#include "tests/ops/cases.h"

namespace hv::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

Tensor noise(const Shape& shape, uint64_t index = 0) {
  Stream stream(11, Purpose::test, 0, index);
  return Tensor::normal(shape, 0, 1, stream);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous(), y = b.contiguous();
  return x.shape() == y.shape() && std::memcmp(x.data(), y.data(), static_cast<size_t>(x.numel()) * sizeof(Real)) == 0;
}

}  // namespace

TEST_CASE("NaN stays visible through maxima, rectifiers and losses") {
  const Tensor x = Tensor::from({1, kNan, 3}, {3}), one = Tensor::ones({3});
  for (const Tensor& y : {maximum(x, one), maximum(one, x), relu(x), hv::max(x, {}), softmax(x), dropout(x, 0.9, {}),
                          max_pool2d(x.reshape({1, 1, 1, 3}).expand({1, 1, 3, 3}), 3, 1), sum(x), sigmoid(x), gelu(x)}) {
    bool seen = false;
    for (double v : y.to_vector()) seen = seen || std::isnan(v);
    CHECK(seen);
  }
  CHECK(argmax(x) == std::vector<int64_t>{1});
  const std::vector<int64_t> label = {0};
  CHECK(std::isnan(static_cast<double>(cross_entropy(x.reshape({1, 3}), label).item())));
}

TEST_CASE("extreme values neither overflow nor lose the loss") {
  const Tensor x = Tensor::from({1000, 0, -1000}, {1, 3});
  CHECK(softmax(x).to_vector() == std::vector<double>{1, 0, 0});
  CHECK(log_softmax(x).to_vector() == std::vector<double>{0, -1000, -2000});
  const std::vector<int64_t> last = {2};
  CHECK(cross_entropy(x, last).item() == 2000);
  CHECK(bce_with_logits(x, Tensor::from({0, 1, 1}, {1, 3})).item() == doctest::Approx((1000 + std::log(2.0) + 1000) / 3));
  // A masked class (logit -inf) with target 0 adds nothing to the loss.
  const std::vector<int64_t> first = {0};
  CHECK(cross_entropy(Tensor::from({0, -kInf}, {1, 2}), first).item() == 0);
  CHECK(sigmoid(x).to_vector() == std::vector<double>{1, 0.5, 0});
  CHECK(hv::pow(Tensor::zeros({1}), 0).item() == 1);
}

TEST_CASE("derivatives at the kinks are the documented ones") {
  const Tensor x = Tensor::zeros({1}).requires_grad_();
  sum(relu(x)).backward();
  CHECK(x.grad().item() == 0);
  sum(abs(x)).backward();
  CHECK(x.grad().item() == 0);
  maximum(x, Tensor::zeros({1})).backward();
  CHECK(x.grad().item() == 0.5);
  const Tensor ties = Tensor::from({2, 1, 2, 2}, {4}).requires_grad_();
  hv::max(ties).backward(Tensor::scalar(3));
  CHECK(ties.grad().to_vector() == std::vector<double>{1, 0, 1, 1});
}

TEST_CASE("argmax takes the first of equals, along any dimension and layout") {
  const Tensor x = Tensor::from({1, 5, 5, 7, 2, 7}, {2, 3});
  CHECK(argmax(x) == std::vector<int64_t>{1, 0});
  CHECK(argmax(x, 0) == std::vector<int64_t>{1, 0, 1});
  CHECK(argmax(x.transpose(0, 1), 1) == std::vector<int64_t>{1, 0, 1});
}

TEST_CASE("nothing in, nothing out: no rows, or rows without elements") {
  const auto shape_of = [](const Tensor& y) { return y.shape(); };
  for (const Shape& shape : {Shape{2, 0}, Shape{0, 3}, Shape{0, 0}}) {
    const Tensor x = Tensor::empty(shape).requires_grad_(), gain = Tensor::ones({shape[1]}), shift = Tensor::zeros({shape[1]});
    CHECK(shape_of(layer_norm(x, gain, shift)) == shape);
    CHECK(shape_of(softmax(x)) == shape);
    CHECK(shape_of(log_softmax(x)) == shape);
    CHECK(shape_of(gelu(x) + x * x) == shape);
    CHECK(shape_of(linear(x, Tensor::ones({4, shape[1]}), Tensor::ones({4}))) == Shape{shape[0], 4});
    const Tensor total = sum(layer_norm(x, gain, shift) * softmax(x));
    CHECK(total.item() == 0);
    total.backward();
    CHECK(x.grad().shape() == shape);
  }
  // No channels in: forward and backward, of every operation on rows.
  for (const Shape& shape : {Shape{2, 0}, Shape{300, 0}, Shape{0, 0}, Shape{2, 3, 0}}) {
    const Tensor x = Tensor::empty(shape).requires_grad_(), weight = Tensor::empty({4, 0}).requires_grad_();
    const Tensor bias = Tensor::ones({4}).requires_grad_(), gain = Tensor::ones({0}).requires_grad_();
    Shape out = shape;
    out[-1] = 4;
    for (const Tensor& y :
         {linear(x, weight, bias), gelu_linear(x, weight, bias), norm_linear(x, gain, gain, 1e-6, weight, bias)}) {
      CHECK(y.shape() == out);
      y.backward(Tensor::ones(out));
    }
    CHECK(x.grad().shape() == shape);
    CHECK(weight.grad().shape() == Shape{4, 0});
    CHECK(bias.grad().to_vector() == std::vector<double>(4, 3.0 * static_cast<double>(numel(out)) / 4));
  }
  for (const Shape& shape : {Shape{20, 5, 0}, Shape{20, 0, 24}, Shape{0, 5, 24}}) {
    const Tensor qkv = Tensor::empty(shape).requires_grad_();
    sum(attention(qkv, 4)).backward();
    CHECK(qkv.grad().shape() == shape);
  }
  const Tensor patches = Tensor::empty({2, 3, 0}).requires_grad_(), cls = Tensor::empty({0}).requires_grad_();
  sum(embed_tokens(patches, cls, Tensor::empty({4, 0}))).backward();
  CHECK(cls.grad().shape() == Shape{0});
  const Tensor images = Tensor::empty({0, 2, 4, 4}).requires_grad_(), filters = Tensor::ones({3, 2, 2, 2}).requires_grad_();
  sum(hv::conv2d(images, filters, {}) * avg_pool2d(images, 2, 1).slice(1, 0, 1)).backward();
  CHECK(sum(filters.grad()).item() == 0);
  // A sum over nothing is 0, plus what is added to it.
  CHECK(linear(Tensor::empty({2, 0}), Tensor::empty({3, 0}), Tensor::full({3}, 5)).to_vector() == std::vector<double>(6, 5));
  CHECK(matmul(Tensor::empty({2, 0}), Tensor::empty({0, 2})).to_vector() == std::vector<double>(4, 0));
}

TEST_CASE("operands with one unit stride are multiplied without a copy") {
  const Tensor w = noise({12, 10}).requires_grad_(), x = noise({9, 12}).requires_grad_(), batch = noise({3, 4, 9, 12});
  const int64_t before = memory_stats().strided_copies;
  sum(matmul(x.slice(1, 2, 7), w.slice(0, 1, 6).slice(1, 3, 9))).backward();
  sum(matmul(w.slice(1, 0, 9).transpose(0, 1), x.slice(0, 2, 8).transpose(0, 1))).backward();
  matmul(batch.transpose(2, 3), batch);
  sum(linear(x.slice(1, 0, 6), w.slice(0, 0, 5).slice(1, 0, 6))).backward();
  CHECK(memory_stats().strided_copies == before);
  matmul(Tensor::zeros({4, 4, 2}).select(2, 0), Tensor::zeros({4, 4}));
  CHECK(memory_stats().strided_copies == before + 1);
}

TEST_CASE("any number of threads gives the same bits, forward and backward") {
  const int threads_before = num_threads();
  for (const OpRow& row : all_rows()) {
    for (const auto& shapes : row.large) {
      std::vector<Tensors> results;
      for (int threads : {1, 2, 3}) {
        set_num_threads(threads);
        Tensors inputs;
        Stream stream(5, Purpose::test);
        for (const Shape& shape : shapes) inputs.push_back(Tensor::uniform(shape, row.low, row.high, stream).requires_grad_());
        const Tensor y = row.op(inputs);
        y.backward(Tensor::normal(y.shape(), 0, 1, stream));
        results.push_back({y});
        for (const Tensor& t : inputs) results.back().push_back(t.grad());
      }
      for (size_t i = 0; i < results[0].size(); ++i) {
        const bool same = same_bits(results[0][i], results[1][i]) && same_bits(results[0][i], results[2][i]);
        CHECK_MESSAGE(same, row.name, " of ", shapes[0], i == 0 ? ": result" : ": a gradient");
      }
    }
  }
  set_num_threads(threads_before);
}

TEST_CASE("dropout keeps the right share, scales it, and is a function of its key") {
  const Tensor ones = Tensor::ones({500, 400});
  const Tensor y = dropout(ones, 0.25, {1, 2, 3});
  double kept = 0, scaled = 0;
  for (double v : y.to_vector()) {
    kept += v != 0;
    scaled += v == doctest::Approx(4.0 / 3.0);
  }
  CHECK(kept == scaled);
  CHECK(kept / 200000 == doctest::Approx(0.75).epsilon(0.006));  // four standard deviations
  CHECK(same_bits(y, dropout(ones, 0.25, {1, 2, 3})));
  for (const NoiseKey& other : {NoiseKey{2, 2, 3}, NoiseKey{1, 3, 3}, NoiseKey{1, 2, 4}})
    CHECK(!same_bits(y, dropout(ones, 0.25, other)));
  CHECK(same_bits(dropout(ones, 0, {}), ones));
  // The layout of the input does not change what is dropped.
  const Tensor square = Tensor::ones({400, 400});
  CHECK(same_bits(dropout(square, 0.5, {1, 1, 1}), dropout(square.transpose(0, 1), 0.5, {1, 1, 1})));
}

TEST_CASE("drop_path drops whole samples") {
  const Tensor y = drop_path(Tensor::ones({4000, 3, 2}), 0.1, {1, 2, 3}).reshape({4000, 6});
  int64_t kept = 0, whole = 0;
  for (int64_t i = 0; i < 4000; ++i) {
    const std::vector<double> sample = y.select(0, i).to_vector();
    kept += sample[0] != 0;
    whole +=
        std::count(sample.begin(), sample.end(), sample[0]) == 6 && (sample[0] == 0 || sample[0] == doctest::Approx(1 / 0.9));
  }
  CHECK(whole == 4000);
  CHECK(kept / 4000.0 == doctest::Approx(0.9).epsilon(0.02));
}

TEST_CASE("attention probabilities are rows that sum to 1 and give the attention") {
  const Tensor qkv = noise({2, 5, 2 * 3 * 4});
  const Tensor p = attention_probabilities(qkv, 4);
  CHECK(p.shape() == Shape{2, 2, 5, 5});
  CHECK(!p.requires_grad());
  for (double v : sum(p, {-1}).to_vector()) CHECK(v == doctest::Approx(1));
  const Tensor v = qkv.reshape({2, 5, 2, 3, 4}).select(3, 2).transpose(1, 2);
  const Tensor expected = matmul(p, v).transpose(1, 2).reshape({2, 5, 8});
  CHECK(hv::max(abs(expected - attention(qkv, 4))).item() < 1e-5);
}

TEST_CASE("cat: a part that is constant has no gradient, the others have theirs") {
  const Tensor constant = Tensor::zeros({2, 1}), x = noise({2, 3}).requires_grad_();
  sum(hv::cat({constant, x, constant}, 1) * noise({2, 5})).backward();
  CHECK(x.grad().shape() == Shape{2, 3});
  CHECK(hv::max(abs(x.grad())).item() > 0);
}

TEST_CASE("cls_attention is the first row of the probabilities, averaged over heads, for every layout") {
  const Tensor wide = noise({3, 7, 40}).requires_grad_();
  const Tensor qkv = wide.slice(2, 4, 28).slice(1, 1, 6);  // [3, 5, 24], strided
  for (const HeadLayout& layout : {HeadLayout(4), HeadLayout(2, false, 0.7), HeadLayout(8)}) {
    const Tensor row = cls_attention(qkv, layout);
    CHECK(row.shape() == Shape{3, 5});
    CHECK(!row.requires_grad());
    CHECK(hv::max(abs(row - mean(attention_probabilities(qkv, layout).select(2, 0), {1}))).item() < 1e-6);
  }
  const HeadLayout unequal(std::make_shared<HeadTable>(std::vector<std::vector<int64_t>>{{3, 5}}), 0.5);
  CHECK(error_of([&] { cls_attention(Tensor::zeros({2, 5, 24}), unequal); }) == "cls_attention: heads differ in size");
  CHECK(error_of([&] {
          attention(Tensor::zeros({2, 5, 25}), unequal);
        }) == "attention: packed qkv of these heads must be [B, T, 24]: [2, 5, 25]");
  CHECK(cls_attention(Tensor::zeros({0, 5, 24}), 4).shape() == Shape{0, 5});
  CHECK(error_of([] { cls_attention(Tensor::zeros({2, 0, 24}), 4); }) == "cls_attention: no tokens: [2, 0, 24]");
  CHECK(error_of([] { cls_attention(Tensor::zeros({2, 5, 25}), 4); }).starts_with("cls_attention: packed qkv must be"));
}

}  // namespace hv::test
