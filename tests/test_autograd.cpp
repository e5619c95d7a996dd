// The graph: gradients of leaf views, accumulation and aliasing, misuse, long chains, release.
#include <doctest/doctest.h>

#include "core/autograd.h"
#include "core/ops.h"
#include "tests/error_of.h"

using namespace hv;
using hv::test::error_of;

namespace {

using Values = std::vector<double>;

Tensor leaf(const Values& values, const Shape& shape) { return Tensor::from(values, shape).requires_grad_(); }
Values ones(size_t n) { return Values(n, 1.0); }

}  // namespace

TEST_CASE("the gradient of a leaf view is written into its place, and nothing is allocated for it") {
  Stream stream(1, Purpose::test);
  const Tensor w = Tensor::normal({40, 30}, 0, 1, stream).requires_grad_();
  const Tensor x = Tensor::normal({16, 12}, 0, 1, stream);
  const auto step = [&](int64_t rows) { sum(linear(x, w.slice(0, 0, rows).slice(1, 0, 12))).backward(); };
  step(20);
  w.zero_grad();
  const int64_t buffers = memory_stats().buffers, copies = memory_stats().strided_copies;
  step(20);
  const int64_t narrow = memory_stats().buffers - buffers;
  step(40);
  CHECK(memory_stats().buffers - buffers - narrow == narrow);  // as many buffers at every width; none has W's size
  CHECK(memory_stats().strided_copies == copies);

  w.zero_grad();
  step(20);
  const Tensor g = w.grad();
  CHECK(sum(abs(g(Range{20, 40}))).item() == 0);
  CHECK(sum(abs(g(all, Range{12, 30}))).item() == 0);
  const Tensor column_sums = sum(x, {0});
  for (int64_t i = 0; i < 20; ++i) CHECK(hv::max(abs(g(i, Range{0, 12}) - column_sums)).item() < 1e-5);
}

TEST_CASE("a view of a leaf makes no graph node and no buffer; its grad() is a view of the leaf's") {
  const Tensor w = leaf({0, 1, 2, 3, 4, 5}, {2, 3});
  const int64_t buffers = memory_stats().buffers, nodes = live_nodes();
  const Tensor v = w.slice(1, 1, 3).transpose(0, 1).select(0, 1);
  CHECK(v.is_leaf());
  CHECK(v.requires_grad());
  CHECK(live_nodes() == nodes);
  CHECK(memory_stats().buffers == buffers);
  CHECK(!v.grad().defined());
  v.backward(Tensor::from({5, 6}, {2}));
  CHECK(w.grad().to_vector() == Values{0, 0, 5, 0, 0, 6});
  CHECK(v.grad().to_vector() == Values{5, 6});
  CHECK(v.grad().shared()->storage == w.grad().shared()->storage);
}

TEST_CASE("gradients add up over backward passes until zero_grad") {
  const Tensor x = leaf({1, 2}, {2});
  sum(x * x).backward();
  sum(x * x).backward();
  CHECK(x.grad().to_vector() == Values{4, 8});
  x.zero_grad();
  CHECK(x.grad().to_vector() == Values{0, 0});
  sum(x).backward();
  CHECK(x.grad().to_vector() == Values{1, 1});
}

TEST_CASE("gradients that share memory are never corrupted by a later addition") {
  SUBCASE("x + x") {
    const Tensor x = leaf({1, 2}, {2}), h = x * 1.0;
    sum(h + h).backward();
    CHECK(x.grad().to_vector() == Values{2, 2});
  }
  SUBCASE("a + b share one g, then a gets more") {
    const Tensor a = leaf({1, 2}, {2}), b = leaf({3, 4}, {2}), ha = a * 1.0, hb = b * 1.0;
    const Tensor early = ha * 10.0;  // recorded first, so its gradient arrives at ha last
    sum((ha + hb) + early).backward();
    CHECK(a.grad().to_vector() == Values{11, 11});
    CHECK(b.grad().to_vector() == ones(2));
  }
  SUBCASE("the same, the other way round") {
    const Tensor a = leaf({1, 2}, {2}), b = leaf({3, 4}, {2}), ha = a * 1.0, hb = b * 1.0;
    const Tensor early = hb * 10.0;
    sum((ha + hb) + early).backward();
    CHECK(a.grad().to_vector() == ones(2));
    CHECK(b.grad().to_vector() == Values{11, 11});
  }
  SUBCASE("a chain of residual blocks") {
    const Tensor x = leaf({0.5, -1}, {2});
    Tensor h = x * 1.0;
    for (int i = 0; i < 5; ++i) h = h + h * 2.0;  // (1 + 2)^5
    sum(h).backward();
    CHECK(x.grad().to_vector() == Values{243, 243});
  }
  SUBCASE("residual inside linear, and its input used again") {
    const Tensor x = leaf({1, 2}, {1, 2}), w = leaf({1, 0, 0, 1}, {2, 2}), h = x * 1.0;
    const Tensor y = linear(h, w, {}, h);
    sum(y + h).backward();
    CHECK(x.grad().to_vector() == Values{3, 3});
  }
  SUBCASE("views of one result") {
    const Tensor x = leaf({1, 2, 3, 4}, {4}), h = x * 1.0;
    sum(h.slice(0, 0, 2) + h.slice(0, 1, 3) + h.slice(0, 2, 4) * h.view({2, 2}).select(0, 0)).backward();
    // d/dh: slices 1 1 0 0 + 0 1 1 0, products 3 4 1 2
    CHECK(x.grad().to_vector() == Values{4, 6, 2, 2});
  }
  SUBCASE("the caller's seed stays as it was") {
    const Tensor x = leaf({1, 2}, {2}), h = x * 1.0, seed = Tensor::ones({2});
    const Tensor early = h * 1.0;
    (h + early).view({2, 1}).view({2}).backward(seed);
    CHECK(seed.to_vector() == ones(2));
    CHECK(x.grad().to_vector() == Values{2, 2});
  }
}

TEST_CASE("changing a saved tensor in place is an error that names the versions") {
  const Tensor x = leaf({1, 2}, {2}), c = Tensor::ones({2});
  const Tensor y = sum(x * c);
  c.slice(0, 0, 1).fill_(3);  // any view shares the version
  CHECK(
      error_of([&] { y.backward(); }) ==
      "backward: a tensor needed for the gradient was changed in place: [2], version 2, expected 1; change a clone() instead");
  const Tensor z = sum(x + c);  // an addition saves nothing
  c.fill_(4);
  z.backward();
  CHECK(x.grad().to_vector() == ones(2));
}

TEST_CASE("writing through mutable_data() to a tensor saved for backward is reported; reading through data() is not") {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor c = Tensor::from({3, 4}, {2});
  const Tensor read = sum(x * c);
  CHECK(c.data()[1] == 4);
  read.backward();
  CHECK(x.grad().to_vector() == Values{3, 4});
  const Tensor written = sum(x * c);
  c.slice(0, 1, 2).mutable_data()[0] = 5;  // any view shares the version
  CHECK(error_of([&] { written.backward(); }).find("changed in place: [2], version 2, expected 1") != std::string::npos);
  static_assert(std::is_same_v<decltype(c.data()), const Real*>);
}

TEST_CASE("in-place changes that would lose a gradient are errors; NoGrad and detach() allow them") {
  const Tensor x = leaf({1, 2}, {2}), plain = Tensor::zeros({2});
  CHECK(error_of([&] { x.fill_(0); }) ==
        "fill_: in-place change of a tensor that requires a gradient: [2]; do it inside a NoGrad scope or on detach()");
  CHECK(error_of([&] { x.slice(0, 0, 1).mul_(2); }).find("mul_: in-place change") == 0);
  CHECK(error_of([&] { (x * 2.0).add_(plain); }).find("add_: in-place change") == 0);
  CHECK(error_of([&] { plain.copy_(x); }) ==
        "copy_: the source requires a gradient, which an in-place change would lose: [2]; use detach() or an operation");
  CHECK(error_of([&] { plain.add_(x); }).find("add_: the source requires a gradient") == 0);
  {
    NoGrad off;
    x.add_(Tensor::ones({2}));
    plain.copy_(x);
  }
  x.detach().mul_(10);
  CHECK(x.to_vector() == Values{20, 30});
  CHECK(plain.to_vector() == Values{2, 3});
}

TEST_CASE("backward twice, without a seed, or of nothing, are errors") {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor y = x * x;
  CHECK(error_of([&] { y.backward(); }) ==
        "backward: a non-scalar needs a seed gradient: [2]; reduce it (sum, mean) or pass one of its shape");
  CHECK(error_of([&] { y.backward(Tensor::ones({3})); }) == "backward: seed of shape [3] for a tensor of shape [2]");
  const Tensor other = sum(y);
  y.backward(Tensor::ones({2}));
  CHECK(error_of([&] { y.backward(Tensor::ones({2})); }) ==
        "backward: the graph was already used and freed at 'mul'; run the forward pass again");
  CHECK(error_of([&] { other.backward(); }).find("already used and freed at 'mul'") != std::string::npos);
  CHECK(error_of([] { Tensor::scalar(1).backward(); }) ==
        "backward: the tensor does not depend on anything that requires a gradient: []");
  CHECK(error_of([&] { y.grad(); }) == "grad: only leaves keep a gradient: this is the result of 'mul'");
  CHECK(error_of([&] { y.requires_grad_(); }) == "requires_grad_: only a leaf can be a parameter, not a result or a view");
  CHECK(error_of([&] { x.slice(0, 0, 1).requires_grad_(); }) ==
        "requires_grad_: only a leaf can be a parameter, not a result or a view");
  CHECK(error_of([] {
          Tensor::zeros({2, 3}).transpose(0, 1).requires_grad_();
        }) == "requires_grad_: a parameter must be contiguous: [3, 2]; clone() it");
}

TEST_CASE("NoGrad records nothing, nests, and ends with its scope") {
  const Tensor x = leaf({1, 2}, {2});
  {
    NoGrad off;
    CHECK(!grad_enabled());
    { NoGrad again; }
    CHECK(!grad_enabled());
    const Tensor y = x * x;
    CHECK(!y.requires_grad());
    CHECK(!x.slice(0, 0, 1).requires_grad());
    CHECK(live_nodes() == 0);
  }
  CHECK(grad_enabled());
  CHECK((x * x).requires_grad());
  CHECK(!(x * x).detach().requires_grad());
}

TEST_CASE("a long chain recurses neither in backward nor when it is dropped") {
  constexpr int kDepth = 100000;
  const Tensor x = leaf({1}, {1});
  const auto chain = [&] {
    Tensor y = x;
    for (int i = 0; i < kDepth; ++i) y = neg(y);
    return y;
  };
  Tensor y = chain();
  CHECK(live_nodes() == kDepth);
  y.backward();
  CHECK(x.grad().item() == 1);
  CHECK(live_nodes() == 1);  // the result's own node, already run; backward has freed the others
  y = Tensor();
  CHECK(live_nodes() == 0);
  y = chain();
  y = Tensor();
  CHECK(live_nodes() == 0);
}

TEST_CASE("nodes, saved tensors and memory are released after backward and after an error") {
  const Tensor x = leaf(Values(1000, 0.5), {1000});
  sum(exp(x)).backward();
  const int64_t before = memory_stats().live_bytes;
  for (int i = 0; i < 3; ++i) sum(exp(tanh(x) * x) + x).backward();
  CHECK(memory_stats().live_bytes == before);
  {
    const Tensor c = Tensor::ones({1000}), y = sum(exp(x * c));
    c.fill_(2);
    CHECK_THROWS(y.backward());
  }
  { const Tensor unused = sum(exp(x)); }
  CHECK(live_nodes() == 0);
  CHECK(memory_stats().live_bytes == before);
}

TEST_CASE("a backward pass that throws leaves nothing in the results that it has not reached") {
  const Tensor x = leaf({1, 1}, {2}), c = Tensor::ones({2}), h = x * 1.0;
  const Tensor late = h * c, early = h * 6.0;  // backward runs `early` first, and throws at `late`
  const Tensor broken = sum(late + early), fine = sum(h * 10.0);
  c.fill_(2);
  CHECK(error_of([&] { broken.backward(); }).find("changed in place") != std::string::npos);
  fine.backward();
  CHECK(x.grad().to_vector() == Values{10, 10});
  CHECK(error_of([&] { broken.backward(); }).find("already used and freed at 'sum'") != std::string::npos);
}

TEST_CASE("a result keeps its value after backward, and only parts that lead to the loss get gradients") {
  const Tensor x = leaf({1, 2}, {2}), unused = leaf({3}, {1});
  const Tensor y = x * 2.0, side = y * unused;
  sum(y).backward();
  CHECK(y.to_vector() == Values{2, 4});
  CHECK(!unused.grad().defined());
  CHECK(side.to_vector() == Values{6, 12});
}
