// What is too large, too little or unknown: sizes beyond 32 bits, words in the environment, address space.
#include <doctest/doctest.h>

#include <cstdlib>

#include "core/environment.h"
#include "core/kernels/blas.h"
#include "core/ops.h"
#include "tests/error_of.h"
#include "tests/program.h"
#include "tests/worse.h"

using namespace hv;
using hv::test::error_of;

TEST_CASE("limits: a dimension number is not cut to 32 bits") {
  constexpr int64_t kFar = int64_t{1} << 32;
  const Tensor x = Tensor::zeros({2, 3});
  const std::string tail = "dimension out of range: 4294967296 of a rank-2 tensor";
  CHECK(error_of([&] { x.permute({kFar, 1}); }) == "permute: " + tail);
  CHECK(error_of([&] { sum(x, {kFar}); }) == "sum: " + tail);
  CHECK(error_of([&] { softmax(x, kFar); }) == "softmax: " + tail);
  CHECK(error_of([&] { argmax(x, kFar); }) == "argmax: " + tail);
  CHECK(error_of([&] { x.slice(kFar, 0, 1); }) == "slice: " + tail);
  CHECK(error_of([&] { x.transpose(0, kFar); }) == "transpose: " + tail);
  CHECK(error_of([&] { hv::cat({x, x}, kFar); }) == "cat: " + tail);
  CHECK(error_of([&] { index_select(x, kFar, {}); }) == "index_select: " + tail);
  CHECK(error_of([&] { x.size(kFar); }) == "shape: dimension 4294967296 of a rank-2 shape");
}

TEST_CASE("limits: sizes whose products do not fit in 64 bits are errors") {
  constexpr int64_t kHuge = int64_t{1} << 62;
  const Tensor one = Tensor::ones({1}), none = Tensor::zeros({0});
  CHECK(error_of([&] { one.expand({kHuge}); }) == "shape: too many elements: [4611686018427387904]");
  CHECK(error_of([&] { one.view({kHuge, 4, -1}); }).find("shape: too many elements") == 0);
  CHECK(error_of([&] { none.reshape({kHuge, 8, 0}); }).find("shape: too many elements") == 0);
  CHECK(error_of([&] { none.reshape({0, kHuge, 8}); }).find("shape: too many elements") == 0);
  CHECK(error_of([&] { Tensor::empty({kHuge}); }).find("shape: too many elements") == 0);
  CHECK(error_of([&] { attention(Tensor::zeros({1, 1, 0}), kHuge); }).find("attention: bad head_dim") == 0);
  CHECK(error_of([&] { max_pool2d(Tensor::zeros({1, 1, 2, 2}), kHuge, 1, kHuge / 2); }).find("max_pool2d: bad kernel") == 0);
  CHECK(error_of([&] { patchify(Tensor::zeros({1, 1, 0, 0}), kHuge); }).find("shape: too many elements") == 0);
  CHECK(error_of([&] { dropout(one, 0.5, {0, uint64_t{1} << 32, 0}); }) == "dropout: key step too large: 4294967296");
}

TEST_CASE("limits: a product that is too large for BLAS's integers is cut into pieces") {
  const int64_t m = 5, n = 7, k = 11;  // `most` stands for the largest integer
  Stream stream(1, Purpose::test);
  const Tensor left = Tensor::normal({256}, 0, 1, stream), right = Tensor::normal({256}, 0, 1, stream);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const int64_t apart : {0, 16}) {  // 0: rows lie side by side
        const int64_t lda = apart ? apart : (ta ? m : k), ldb = apart ? apart : (tb ? k : n), ldc = apart ? apart : n;
        for (const int64_t most : {1, 3, 6, 8, 12, 15, 100}) {
          for (const Real beta : {0, 1, 2}) {
            const Tensor c = Tensor::full({m, ldc}, 2);
            blas_gemm(m, n, k, 3, {left.data(), lda, ta}, {right.data(), ldb, tb}, beta, c.mutable_data(), ldc, most);
            double worst = 0;
            for (int64_t i = 0; i < m; ++i) {
              for (int64_t j = 0; j < ldc; ++j) {
                double expected = j < n ? 2 * static_cast<double>(beta) : 2;
                for (int64_t x = 0; j < n && x < k; ++x) {
                  const Real a = left.data()[ta ? x * lda + i : i * lda + x], b = right.data()[tb ? j * ldb + x : x * ldb + j];
                  expected += 3.0 * static_cast<double>(a) * static_cast<double>(b);
                }
                worst = test::worse(worst, std::abs(static_cast<double>(c.at({i, j})) - expected));
              }
            }
            CHECK(worst < 1e-4);
          }
        }
      }
    }
  }
}

TEST_CASE("limits: a word of the environment that nobody knows is an error that lists the words") {
  constexpr const char* kName = "HYDRAVIT_TEST_WORD";
  const auto word = [] { return environment_word(kName, {"low", "high"}); };
  CHECK(word() == -1);
  for (const auto& [value, place] : {std::pair{"", -1}, std::pair{"low", 0}, std::pair{"high", 1}}) {
    setenv(kName, value, 1);
    CHECK(word() == place);
  }
  setenv(kName, "High", 1);
  CHECK(error_of(word) == "HYDRAVIT_TEST_WORD: 'High' is unknown; choose one of low, high, or unset it");
  unsetenv(kName);

  using namespace hv::program_fixtures;
  if (!Program::binary()) return;
  const Program program;
  const std::string train = concat(kTrain, "--steps 1");
  check_refused(program(train, "HYDRAVIT_SIMD=V4"), 2, "HYDRAVIT_SIMD: 'V4' is unknown; choose one of v2, v3, v4, or unset it");
  check_refused(program(train, "HYDRAVIT_BF16=AMX"), 2, "HYDRAVIT_BF16: 'AMX' is unknown; choose one of none, avx512, amx");
  check_refused(program(train, "HYDRAVIT_GUARD=yes"), 2, "HYDRAVIT_GUARD: 'yes' is unknown; choose one of 0, 1");
}

TEST_CASE("limits: with little address space the program ends, and says why") {
  using namespace hv::program_fixtures;
#ifdef HV_ASAN
  return;  // AddressSanitizer itself needs terabytes of it
#endif
  if (!Program::binary()) return;
  const Program program;
  const std::string train =
      "train --preset nano --data data --batch-size 16 --threads 2 --steps 1 --report off --train-limit 16 --eval-limit 16 ";
  REQUIRE(program(concat(train, "--out run"), "OMP_WAIT_POLICY=passive").code == 0);
  int ended = 0, refused = 0;
  for (const int megabytes : {220, 400, 1000}) {
    const Result result =
        program("eval run --data data --limit 16 --threads 2",
                concat("ulimit -v ", megabytes << 10, "; HYDRAVIT_GUARD= OMP_WAIT_POLICY=passive timeout 20"));
    INFO(megabytes, " MB: ", result.err);
    CHECK((result.code == 0 || result.code == 1));  // timeout gives 124
    CHECK((result.code == 0 || contains(result.err, "out of memory")));
    ++(result.code == 0 ? ended : refused);
  }
  CHECK(ended > 0);
  CHECK(refused > 0);
}
