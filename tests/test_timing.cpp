// The stopwatch of a step's parts, and the list of its products.
#include <doctest/doctest.h>

#include <chrono>
#include <numeric>
#include <thread>

#include "core/kernels/product_list.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "core/timing.h"

using namespace hv;

namespace {
void wait_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
double part(const PartSeconds& seconds, Part which) { return seconds[static_cast<size_t>(which)]; }
}  // namespace

TEST_CASE("timing: the innermost part is charged, the parts add up to the time watched") {
  watch_parts();
  const auto begin = std::chrono::steady_clock::now();
  wait_ms(4);
  {
    const PartTimer outer(Part::optimizer);
    wait_ms(4);
    {
      const PartTimer inner(Part::data);
      wait_ms(8);
    }
    wait_ms(4);
  }
  std::thread([] {  // not watched: no time is counted
    const PartTimer elsewhere(Part::attention);
    wait_ms(2);
  })
      .join();
  const PartSeconds seconds = take_parts();
  const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  CHECK(part(seconds, Part::other) >= 0.006);
  CHECK(part(seconds, Part::optimizer) >= 0.008);
  CHECK(part(seconds, Part::data) >= 0.008);
  CHECK(part(seconds, Part::attention) == 0);
  CHECK(std::accumulate(seconds.begin(), seconds.end(), 0.0) == doctest::Approx(whole).epsilon(0.05));
  CHECK(part(take_parts(), Part::data) == 0);  // take_parts() starts from 0 again
  timing::watch = {};
  const PartSeconds off = take_parts();
  CHECK(std::accumulate(off.begin(), off.end(), 0.0) == 0);
}

TEST_CASE("timing: products, attention and norms are charged to their parts, forward and backward") {
  Stream stream(0, Purpose::test);
  const Tensor x = Tensor::normal({8, 33, 64}, 0, 1, stream).requires_grad_(),
               w = Tensor::normal({192, 64}, 0, 0.1, stream).requires_grad_();
  const Tensor gain = Tensor::ones({64}), shift = Tensor::zeros({64});
  watch_parts();
  const Tensor loss = sum(attention(norm_linear(x, gain, shift, 1e-6, w, {}), 16));
  const PartSeconds forward = take_parts();
  loss.backward();
  const PartSeconds backward = take_parts();
  timing::watch = {};
  for (const PartSeconds* pass : {&forward, &backward}) {
    CHECK(part(*pass, Part::gemm) > 0);
    CHECK(part(*pass, Part::attention) > 0);
    CHECK(part(*pass, Part::norm_activation) > 0);
    CHECK(part(*pass, Part::optimizer) == 0);
    CHECK(part(*pass, Part::data) == 0);
  }
}

TEST_CASE("products: what the mathematics of a step needs is noted, each once") {
  using Kind = MatrixProduct::Kind;
  Stream stream(0, Purpose::test);
  const Tensor x = Tensor::normal({2, 5, 8}, 0, 1, stream).requires_grad_(),
               w = Tensor::normal({24, 8}, 0, 1, stream).requires_grad_();
  std::vector<MatrixProduct> made;
  note_products(&made);
  const Tensor y = attention(linear(x, w), 4);  // 2 images, 2 heads, 5 tokens
  sum(y).backward();
  note_products(nullptr);
  linear(x, w);  // not in the list
  const std::vector<MatrixProduct> expected{
      {Kind::forward, 10, 24, 8, 1}, {Kind::scores, 5, 5, 4, 4},           {Kind::mixture, 5, 4, 5, 4},
      {Kind::scores, 5, 5, 4, 4},    {Kind::mixture, 5, 4, 5, 4},          {Kind::mixture, 5, 4, 5, 4},
      {Kind::mixture, 5, 4, 5, 4},   {Kind::input_gradient, 10, 8, 24, 1}, {Kind::weight_gradient, 24, 8, 10, 1}};
  CHECK(made == expected);
  for (const MatrixProduct& product : made) CHECK(seconds_alone(product) > 0);
  const int threads = num_threads();
  set_num_threads(3);  // each result has a buffer of its own, so HYDRAVIT_GUARD finds writes beside it
  CHECK(seconds_alone({Kind::scores, 9, 9, 4, 4096}) > 0);
  set_num_threads(threads);
}
