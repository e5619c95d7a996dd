// A user's program initialises nothing. The tests' own program does not either (tests/main.cpp), so it starts itself again for
// one test that no other test has run before.
#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "core/kernels/blas.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "tests/process.h"

using namespace hv;

namespace {

// Several blocks of products that are denormal numbers: all of them are zero if every thread flushes.
bool all_flushed() {
  const Tensor tiny = Tensor::full({1 << 20}, 1e-38) * 1e-3;
  return std::all_of(tiny.data(), tiny.data() + tiny.numel(), [](Real x) { return sizeof(Real) == 8 || x == 0; });
}

}  // namespace

TEST_CASE("start-up: the first operations of a program" * doctest::skip()) {
  const int threads = num_threads();
  CHECK(all_flushed());
  const Tensor image = Tensor::ones({4, 3, 8, 8}), weight = Tensor::ones({2, 3, 3, 3}).requires_grad_();
  const Tensor y = conv2d(image, weight, {}, 1, 0);  // calls BLAS inside a parallel region
  CHECK(blas_threads() == 1);
  CHECK(y.at({3, 1, 5, 5}) == 27);
  sum(y).backward();
  CHECK(weight.grad().at({0, 0, 0, 0}) == 4 * 36);
  CHECK(num_threads() == threads);
}

TEST_CASE("start-up: a program that initialises nothing has one BLAS thread, and its threads flush denormals") {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string output = std::filesystem::temp_directory_path() / ("hydravit-startup-" + std::to_string(getpid()));
  test::Process program({self, "--no-skip", "-tc=start-up: the first operations of a program"}, output);
  const int code = program.wait();
  const std::string text = test::slurp(output);
  std::filesystem::remove(output);
  CHECK_MESSAGE(code == 0, text);
  CHECK_MESSAGE(text.find("test cases: 1 | 1 passed") != std::string::npos, text);
}

TEST_CASE("start-up: a thread of the user's own flushes denormals too, with one thread and with several") {
  for (const int threads : {1, 2}) {
    bool flushed = false;
    std::thread([&] {
      _mm_setcsr(0x1F80);  // the processor's own setting: nothing is flushed
      set_num_threads(threads);
      flushed = all_flushed();
    }).join();
    CHECK(flushed);
  }
}
