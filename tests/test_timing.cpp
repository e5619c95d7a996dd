// The stopwatch of a step's parts.
#include <doctest/doctest.h>

#include <chrono>
#include <numeric>
#include <thread>

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
  std::thread([] {  // not watched: charges nothing
    const PartTimer elsewhere(Part::attention);
    wait_ms(2);
  }).join();
  const PartSeconds seconds = take_parts();
  const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  CHECK(part(seconds, Part::other) >= 0.006);
  CHECK(part(seconds, Part::optimizer) >= 0.008);
  CHECK(part(seconds, Part::data) >= 0.008);
  CHECK(part(seconds, Part::attention) == 0);
  CHECK(std::accumulate(seconds.begin(), seconds.end(), 0.0) == doctest::Approx(whole).epsilon(0.05));
  CHECK(part(take_parts(), Part::data) == 0);  // taken: it begins anew
  timing::watch = {};
  const PartSeconds off = take_parts();
  CHECK(std::accumulate(off.begin(), off.end(), 0.0) == 0);
}

TEST_CASE("timing: products, attention and norms are charged to their parts, forward and backward") {
  Stream stream(0, Purpose::test);
  const Tensor x = Tensor::normal({8, 33, 64}, 0, 1, stream).requires_grad_(), w = Tensor::normal({192, 64}, 0, 0.1, stream).requires_grad_();
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
