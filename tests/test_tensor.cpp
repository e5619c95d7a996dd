// Tensors: factories, views, copies, in-place changes, printing, and the errors of each.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "core/autograd.h"
#include "core/kernels/strided.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "tests/error_of.h"

using namespace hv;
using hv::test::error_of;

namespace {

using Values = std::vector<double>;

Tensor counting(const Shape& shape) { return Tensor::arange(numel(shape)).view(shape); }

template <class T>
std::string printed(const T& t) {
  std::ostringstream out;
  out << t;
  return out.str();
}

// x.slice(0, 0, 2) = y would change a temporary handle and nothing else.
template <class T>
concept AssignsToTemporary = requires(T t) {
  T() = t;
};
template <class T>
concept AssignsToVariable = requires(T a, T b) {
  a = b;
};
static_assert(!AssignsToTemporary<Tensor>, "assignment to a temporary view must not compile");
static_assert(AssignsToVariable<Tensor>);

}  // namespace

TEST_CASE("factories") {
  CHECK(Tensor::zeros({2, 2}).to_vector() == Values{0, 0, 0, 0});
  CHECK(Tensor::full({3}, 2.5).to_vector() == Values{2.5, 2.5, 2.5});
  CHECK(Tensor::scalar(4).shape() == Shape{});
  CHECK(Tensor::scalar(4).item() == 4);
  CHECK(Tensor::arange(4).to_vector() == Values{0, 1, 2, 3});
  CHECK(Tensor::empty({0, 3}).numel() == 0);
  CHECK(error_of([] { Tensor::from({1, 2, 3}, {2, 2}); }) == "from: 3 values do not fill [2, 2]");
  CHECK(error_of([] { Tensor::zeros({2, -1}); }) == "shape: negative size: [2, -1]");
  CHECK(error_of([] { Tensor::empty({1 << 30, 1 << 30, 1 << 30}); }).find("too many elements") != std::string::npos);
  CHECK(error_of([] { Tensor().shape(); }) == "tensor: use of an undefined tensor");

  Stream stream(1, Purpose::test);
  const Tensor u = Tensor::uniform({1000}, -1, 3, stream), n = Tensor::normal({10000}, 5, 2, stream);
  const Values drawn = u.to_vector();
  CHECK(std::all_of(drawn.begin(), drawn.end(), [](double v) { return v >= -1 && v < 3; }));
  CHECK(mean(u).item() == doctest::Approx(1).epsilon(0.15));
  CHECK(mean(n).item() == doctest::Approx(5).epsilon(0.02));
}

TEST_CASE("views share memory and show the right elements") {
  const Tensor x = counting({2, 3, 4});
  CHECK(x.slice(1, 1, 3).to_vector() == Values{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(x.slice(-1, -2, -1).to_vector() == Values{2, 6, 10, 14, 18, 22});
  CHECK(x.slice(0, 1, 1).shape() == Shape{0, 3, 4});
  CHECK(x.select(1, -1).to_vector() == Values{8, 9, 10, 11, 20, 21, 22, 23});
  CHECK(x.select(0, 1).select(0, 2).select(0, 3).item() == 23);
  CHECK(x.transpose(0, 2).shape() == Shape{4, 3, 2});
  CHECK(x.transpose(0, -1).at({3, 1, 0}) == 7);
  CHECK(x.permute({1, 2, 0}).at({2, 3, 1}) == 23);
  CHECK(x.permute({-1, 0, 1}).at({3, 1, 0}) == 15);
  CHECK(x(all, 1, Range{1, 3}).to_vector() == Values{5, 6, 17, 18});
  CHECK(x(1).shape() == Shape{3, 4});
  CHECK(x(-1, -1, -1).item() == 23);
  CHECK(x(Range{0, 1}).shape() == Shape{1, 3, 4});
  CHECK(counting({3, 1}).expand({2, 3, 2}).to_vector() == Values{0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2});
  CHECK(x.unsqueeze(0).shape() == Shape{1, 2, 3, 4});
  CHECK(x.unsqueeze(-1).squeeze(-1).shape() == x.shape());
  CHECK(x.view({6, -1}).shape() == Shape{6, 4});
  CHECK(x.view({-1}).to_vector() == x.to_vector());
  CHECK(x.slice(0, 0, 2).shared() == x.shared());  // a slice of everything is the tensor itself

  x.select(0, 0).select(0, 0).fill_(-1);
  CHECK(x.at({0, 0, 3}) == -1);
  CHECK(x.at({0, 1, 0}) == 4);
}

TEST_CASE("reshape is a view where the layout allows it and a counted copy where not") {
  const Tensor x = counting({4, 6});
  const auto copies = [] { return memory_stats().strided_copies; };
  const int64_t before = copies();
  CHECK(x.slice(1, 0, 3).view({2, 2, 3}).shared()->storage == x.shared()->storage);  // rows split
  CHECK(x.transpose(0, 1).view({2, 3, 4}).to_vector() == x.transpose(0, 1).to_vector());
  CHECK(x.slice(0, 1, 3).reshape({12}).shared()->storage == x.shared()->storage);
  CHECK(counting({2, 1, 3}).transpose(0, 1).reshape({6}).to_vector() == Values{0, 1, 2, 3, 4, 5});
  CHECK(copies() == before);
  CHECK(x.transpose(0, 1).reshape({24}).to_vector() == x.transpose(0, 1).to_vector());
  CHECK(copies() == before + 1);
  CHECK(x.contiguous().shared() == x.shared());
  CHECK(x.transpose(0, 1).contiguous().is_contiguous());
  CHECK(copies() == before + 2);
  CHECK(error_of([&] { x.slice(1, 0, 3).view({12}); }) ==
        "view: [4, 3] with strides [6, 1] has no view as [12]; use reshape, which copies");
}

TEST_CASE("views out of range are errors that show the shape") {
  const Tensor x = counting({2, 3});
  CHECK(error_of([&] { x.slice(1, 0, 4); }) == "slice: range out of bounds: [0, 4) in dimension 1 of [2, 3]");
  CHECK(error_of([&] { x.slice(1, 2, 1); }) == "slice: range out of bounds: [2, 1) in dimension 1 of [2, 3]");
  CHECK(error_of([&] { x.slice(1, -4, 1); }) == "slice: range out of bounds: [-4, 1) in dimension 1 of [2, 3]");
  CHECK(error_of([&] { x.slice(2, 0, 1); }) == "slice: dimension out of range: 2 of a rank-2 tensor");
  CHECK(error_of([&] { x.select(0, 2); }) == "select: index out of range: 2 in dimension 0 of [2, 3]");
  CHECK(error_of([&] { x.select(0, -3); }) == "select: index out of range: -3 in dimension 0 of [2, 3]");
  CHECK(error_of([&] { x.transpose(0, -3); }) == "transpose: dimension out of range: -3 of a rank-2 tensor");
  CHECK(error_of([&] { x.permute({0}); }) == "permute: order [0] for [2, 3]");
  CHECK(error_of([&] { x.permute({1, 1}); }) == "permute: dimension 1 named twice: [1, 1]");
  CHECK(error_of([&] { x.expand({2, 4}); }) == "expand: [2, 3] does not expand to [2, 4]");
  CHECK(error_of([&] { x.expand({3}); }) == "expand: [2, 3] does not expand to [3]");
  CHECK(error_of([&] { x.squeeze(0); }) == "squeeze: dimension 0 is not 1: [2, 3]");
  CHECK(error_of([&] { x.unsqueeze(3); }) == "unsqueeze: dimension out of range: 3 of a rank-3 tensor");
  CHECK(error_of([&] { x.view({4, -1}); }) == "view: [2, 3] does not reshape to [4, -1]");
  CHECK(error_of([&] { x.reshape({-1, -1}); }) == "reshape: more than one -1: [-1, -1]");
  CHECK(error_of([&] { x.reshape({7}); }) == "reshape: [2, 3] does not reshape to [7]");
  CHECK(error_of([&] { x.reshape({-2, 3}); }) == "reshape: negative size: [-2, 3]");
  CHECK(error_of([&] { x(0, 0, 0); }) == "index: 3 indices for [2, 3]");
  CHECK(error_of([&] { x.at({0}); }) == "at: 1 indices for [2, 3]");
  CHECK(error_of([&] { x.at({0, 3}); }) == "at: index out of range: 3 in dimension 1 of [2, 3]");
  CHECK(error_of([&] { x.item(); }) == "item: the tensor has more or less than one element: [2, 3]");
  CHECK(error_of([&] { x.size(2); }) == "shape: dimension 2 of a rank-2 shape");
}

TEST_CASE("copying a handle aliases, clone copies, copy_ broadcasts and survives overlap") {
  const Tensor x = counting({2, 3}), alias = x, copy = x.clone();
  x.fill_(7);
  CHECK(alias.to_vector() == Values(6, 7));
  CHECK(copy.to_vector() == Values{0, 1, 2, 3, 4, 5});
  CHECK(copy.transpose(0, 1).clone().strides() == Strides{2, 1});

  x.copy_(Tensor::from({1, 2, 3}, {3}));
  CHECK(x.to_vector() == Values{1, 2, 3, 1, 2, 3});
  x.slice(1, 1, 3).copy_(Tensor::from({8, 9}, {2, 1}));
  CHECK(x.to_vector() == Values{1, 8, 8, 1, 9, 9});
  const Tensor line = counting({6});
  line.slice(0, 1, 6).copy_(line.slice(0, 0, 5));
  CHECK(line.to_vector() == Values{0, 0, 1, 2, 3, 4});
  const Tensor square = counting({2, 2});
  square.copy_(square.transpose(0, 1));
  CHECK(square.to_vector() == Values{0, 2, 1, 3});
  CHECK(error_of([&] { x.copy_(counting({4})); }) == "expand: [4] does not expand to [2, 3]");
}

TEST_CASE("in-place arithmetic works through any view and handles its own memory") {
  const Tensor x = counting({2, 3});
  x.transpose(0, 1).add_(Tensor::from({10, 20}, {2}), 0.5);
  CHECK(x.to_vector() == Values{5, 6, 7, 13, 14, 15});
  x.select(1, 0).mul_(2);
  CHECK(x.to_vector() == Values{10, 6, 7, 26, 14, 15});
  x.add_(x, -1);
  CHECK(x.to_vector() == Values(6, 0));
  const Tensor square = counting({2, 2});
  square.add_(square.transpose(0, 1));
  CHECK(square.to_vector() == Values{0, 3, 3, 6});
}

TEST_CASE("an in-place change touches the elements of its view, and no other") {
  const Tensor base = Tensor::empty({4, 5, 6});
  const std::vector<Tensor> views = {base,
                                     base.slice(0, 1, 3),
                                     base.slice(0, 1, 2).slice(1, 1, 3).slice(2, 0, 4),
                                     base.select(0, 1),
                                     base.select(0, 3).select(0, 4),
                                     base.select(2, 5),
                                     base.select(1, 0).transpose(0, 1),
                                     base.permute({2, 0, 1}).slice(0, 1, 3),
                                     base.slice(1, 2, 2)};
  const Tensor numbers = counting(base.shape());
  for (const Tensor& view : views) {
    CAPTURE(view.shape());
    base.fill_(0);
    view.fill_(1);
    const Values inside = base.to_vector();
    CHECK(std::count(inside.begin(), inside.end(), 1) == view.numel());
    const auto changed = [&](const auto& change) {  // the value of an element inside afterwards; one outside keeps its value
      base.copy_(numbers);
      change();
      Values left = base.to_vector();
      for (size_t i = 0; i < left.size(); ++i) {
        if (inside[i] == 0) CHECK(left[i] == static_cast<double>(i));
        left[i] -= static_cast<double>(i);
      }
      return left;
    };
    const Values doubled = changed([&] { view.mul_(2); }),
                 shifted = changed([&] { view.add_(Tensor::full(view.shape(), 3), 2); });
    changed([&] { view.copy_(Tensor::full(view.shape(), 7)); });
    for (size_t i = 0; i < inside.size(); ++i) {
      if (inside[i] == 0) continue;
      CHECK(doubled[i] == static_cast<double>(i));
      CHECK(shifted[i] == 6);
    }
  }
}

TEST_CASE("denormal numbers are zero on every thread; a number of threads must be one") {
  const Tensor tiny = Tensor::full({1 << 20}, 1e-38) * 1e-3;  // several blocks
  CHECK(std::all_of(tiny.data(), tiny.data() + tiny.numel(), [](Real x) { return sizeof(Real) == 8 || x == 0; }));
  CHECK(error_of([] { init_compute(0); }) == "threads: at least 1 is needed, found 0");
}

TEST_CASE("every in-place change moves the version that all views share; reading does not") {
  const Tensor x = counting({4, 4}), part = x.slice(0, 1, 2);
  const auto version = [&] { return x.shared()->storage->version(); };
  uint64_t before = version();
  const std::vector<void (*)(const Tensor&)> changes{[](const Tensor& t) { t.fill_(1); }, [](const Tensor& t) { t.mul_(2); },
                                                     [](const Tensor& t) { t.add_(Tensor::ones({4})); },
                                                     [](const Tensor& t) { t.copy_(Tensor::ones({4})); }};
  for (const auto& change : changes) {
    change(part);
    CHECK(version() > before);
    before = version();
  }
  sum(x * x + x.transpose(0, 1));
  x.clone();
  CHECK(version() == before);
  CHECK_THROWS(x.copy_(counting({5})));
  CHECK(version() == before);  // checked before it touched
}

TEST_CASE("printing shows the shape first and abridges long dimensions") {
  CHECK(printed(Tensor()) == "Tensor (undefined)");
  CHECK(printed(Tensor::scalar(2)) == "Tensor []\n         2");
  CHECK(printed(Tensor::from({1, -2.5, 3, 4}, {2, 2})) ==
        "Tensor [2, 2]\n[[         1,       -2.5],\n [         3,          4]]");
  CHECK(printed(Tensor::zeros({2}).requires_grad_()) == "Tensor [2] requires_grad\n[         0,          0]");
  const std::string longer = printed(Tensor::arange(100));
  CHECK(longer.find("...") != std::string::npos);
  CHECK(longer.find(" 2,") != std::string::npos);
  CHECK(longer.find(" 97,") != std::string::npos);
  CHECK(longer.find(" 50") == std::string::npos);
  CHECK(printed(Tensor::zeros({0, 3})) == "Tensor [0, 3]\n[]");
  CHECK(printed(Shape{2, 3}) == "[2, 3]");
  std::ostringstream out;
  out << std::scientific << Tensor::zeros({1}) << ' ' << 1.0 / 3;  // the stream keeps its own format
  CHECK(out.str().ends_with(" 3.333333e-01"));
}

TEST_CASE("shapes: broadcasting, overflow and rank limits") {
  CHECK(broadcast_shapes({2, 1, 3}, {4, 1}, "t") == Shape{2, 4, 3});
  CHECK(broadcast_shapes({}, {0}, "t") == Shape{0});
  CHECK(contiguous_strides({2, 3, 4}) == Strides{12, 4, 1});
  CHECK(error_of([] { Dims::filled(9, 1); }) == "shape: more than 8 dimensions");
  CHECK(numel({}) == 1);
  CHECK(numel({5, 0, 3}) == 0);
}

TEST_CASE("the strided loop joins the dimensions that every operand allows") {
  using Loop = StridedLoop<2>;
  const Shape shape{2, 3, 1, 4};
  const Strides dense = contiguous_strides(shape), wider{24, 8, 8, 1}, repeated{0, 0, 0, 1};
  CHECK(Loop(shape, {dense, dense}).rows() == 1);
  CHECK(Loop(shape, {dense, dense}).row_size() == 24);
  CHECK(Loop(shape, {dense, wider}).rows() == 6);     // columns of a wider matrix: its rows are rows of memory
  CHECK(Loop(shape, {dense, repeated}).rows() == 6);  // a bias: its outer dimensions join to one that repeats it
  CHECK(Loop(shape, {repeated, repeated}).rows() == 6);
  CHECK(Loop({1, 1}, {Strides{7, 7}, Strides{7, 7}}).row_size() == 1);
}
