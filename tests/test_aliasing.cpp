// Operands that show the memory that an operation writes: in-place changes, targets that show one element many times, seeds and
// operands that show a gradient.
#include <doctest/doctest.h>

#include <functional>

#include "core/ops.h"
#include "tests/error_of.h"

using namespace hv;
using hv::test::error_of;

namespace {

using Values = std::vector<double>;

}  // namespace

TEST_CASE("aliasing: add_ and copy_ read their operand as it was before") {
  const Tensor a = Tensor::from({1, 2, 3, 4}, {4});
  a.add_(a.slice(0, 0, 1));
  CHECK(a.to_vector() == Values{2, 3, 4, 5});
  const Tensor x = Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3});
  x.add_(x(all, Range{0, 1}), -1);
  CHECK(x.to_vector() == Values{0, 1, 2, 0, 1, 2});

  // Every pair of these views of one square, with the operand expanded where its shape is smaller.
  const std::vector<std::function<Tensor(const Tensor&)>> views = {
      [](const Tensor& s) { return s; },
      [](const Tensor& s) { return s.transpose(0, 1); },
      [](const Tensor& s) {
        return s(all, Range{0, 1});
      },
      [](const Tensor& s) {
        return s(Range{1, 2}, all);
      },
      [](const Tensor& s) { return s(3, all); },
      [](const Tensor& s) { return s(all, 2); },
      [](const Tensor& s) {
        return s(Range{0, 3}, Range{0, 3});
      },
      [](const Tensor& s) {
        return s(Range{1, 4}, Range{1, 4});
      },
      [](const Tensor& s) {
        return s(Range{0, 3}, Range{1, 4}).transpose(0, 1);
      },
      [](const Tensor& s) { return s(2, 2); },
  };
  int tried = 0;
  for (const auto& to : views) {
    for (const auto& from : views) {
      for (const bool adds : {true, false}) {
        const Tensor square = Tensor::arange(16).view({4, 4}), expected = square.clone();
        const Tensor operand = from(expected).clone();
        const auto change = [adds](const Tensor& target, const Tensor& source) {
          adds ? target.add_(source, 2) : target.copy_(source);
        };
        try {
          change(to(expected), operand);
        } catch (const Error&) {
          continue;  // the shapes do not fit
        }
        change(to(square), from(square));
        CHECK(square.to_vector() == expected.to_vector());
        ++tried;
      }
    }
  }
  CHECK(tried > 70);
}

TEST_CASE("aliasing: a target that shows one element many times is an error, of every in-place operation") {
  const Tensor one = Tensor::full({1}, 3), wide = one.expand({4}), rows = Tensor::zeros({1, 2}).expand({3, 2});
  CHECK(error_of([&] { wide.mul_(2); }) ==
        "mul_: the target shows one element many times: [4] with strides [0]; change a clone()");
  CHECK(error_of([&] { wide.fill_(2); }).find("fill_: the target shows one element many times") == 0);
  CHECK(error_of([&] { wide.add_(one); }).find("add_: the target shows one element many times") == 0);
  CHECK(error_of([&] { wide.copy_(Tensor::arange(4)); }).find("copy_: the target shows one element many times") == 0);
  CHECK(error_of([&] { rows.slice(0, 0, 2).add_(one); }).find("[2, 2] with strides [0, 1]") != std::string::npos);
  CHECK(one.item() == 3);
  rows.slice(0, 1, 2).fill_(5);  // one row of them
  CHECK(rows.to_vector() == Values(6, 5));
  Tensor::zeros({0, 3}).mul_(2);
  Tensor::zeros({3, 0}).mul_(2);
}

TEST_CASE("aliasing: a seed, or an operand, may be a gradient that backward writes") {
  const auto started = [](const Values& values, const Shape& shape) {  // a leaf whose gradient holds its own values
    const Tensor u = Tensor::from(values, shape).requires_grad_();
    u.backward(u.detach());
    return u;
  };
  const Tensor u = started({2, 4}, {2});
  (u + u).backward(u.grad());
  CHECK(u.grad().to_vector() == Values{6, 12});
  const Tensor v = started({1, 2, 3, 4}, {4});
  v.slice(0, 0, 2).backward(v.grad().slice(0, 1, 3));
  CHECK(v.grad().to_vector() == Values{3, 5, 3, 4});

  const Tensor w = started({1, 2, 3, 4}, {2, 2});
  sum(w * w.grad().transpose(0, 1)).backward();
  CHECK(w.grad().to_vector() == Values{2, 5, 5, 8});
  const Tensor m = started({1, 2, 3, 4}, {2, 2});
  sum(matmul(m.grad(), m)).backward();  // dm = grad^T ones
  CHECK(m.grad().to_vector() == Values{5, 6, 9, 10});
}
