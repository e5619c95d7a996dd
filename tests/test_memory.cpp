// The memory pool: alignment, reuse, joining of neighbours, statistics.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/ops.h"
#include "core/storage.h"

using namespace hv;

namespace {

using Buffer = std::unique_ptr<Storage>;
Buffer buffer(int64_t n) { return std::make_unique<Storage>(n); }

#ifdef HV_ASAN
constexpr bool kPooled = false;  // under AddressSanitizer each buffer is allocated by itself
#else
constexpr bool kPooled = true;
#endif

}  // namespace

TEST_CASE("buffers are aligned, separate, and counted") {
  const MemoryStats before = memory_stats();
  std::vector<Buffer> buffers;
  for (int64_t n : {0, 1, 15, 16, 17, 1000, 100000}) buffers.push_back(buffer(n));
  const MemoryStats during = memory_stats();
  CHECK(during.buffers - before.buffers == 7);
  CHECK(during.live_bytes - before.live_bytes >= static_cast<int64_t>(101049 * sizeof(Real)));
  CHECK(during.peak_bytes >= during.live_bytes);
  for (size_t i = 0; i < buffers.size(); ++i) {
    CHECK(reinterpret_cast<uintptr_t>(buffers[i]->data()) % 64 == 0);
    for (int64_t j = 0; j < buffers[i]->size(); ++j) buffers[i]->data()[j] = static_cast<Real>(i);
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    bool intact = true;
    for (int64_t j = 0; j < buffers[i]->size(); ++j) intact = intact && buffers[i]->data()[j] == static_cast<Real>(i);
    CHECK(intact);
  }
  buffers.clear();
  CHECK(memory_stats().live_bytes == before.live_bytes);
}

TEST_CASE("memory that came back serves any other cut: no new chunk is asked for") {
  if (!kPooled) return;
  { const Buffer warm = buffer(1 << 20); }
  const int64_t chunks = memory_stats().chunks;
  for (int round = 0; round < 50; ++round) {
    std::vector<Buffer> pieces;
    for (int i = 0; i < 16; ++i) pieces.push_back(buffer(1 << 16));
    // Released in an order that leaves holes first, then joins them.
    for (size_t i = 0; i < pieces.size(); i += 2) pieces[i].reset();
    for (size_t i = 1; i < pieces.size(); i += 2) pieces[i].reset();
    const Buffer whole = buffer(1 << 20);
  }
  CHECK(memory_stats().chunks == chunks);
}

TEST_CASE("a buffer that comes back joins the free memory on either side") {
  if (!kPooled) return;
  // Allocates buffers of three quarters of a chunk until a new chunk is needed: then only the last one's place has that size.
  constexpr int64_t kLarge = 3 * (int64_t{64} << 20) / 4 / static_cast<int64_t>(sizeof(Real)), kHalf = kLarge / 2 - 64;
  std::vector<Buffer> held;
  for (const int64_t before = memory_stats().chunks; memory_stats().chunks == before;) held.push_back(buffer(kLarge));
  const int64_t chunks = memory_stats().chunks;
  for (const bool left_first : {true, false}) {
    held.pop_back();
    Buffer left = buffer(kHalf), right = buffer(kHalf);  // too large for what is left of a chunk
    (left_first ? left : right).reset();
    (left_first ? right : left).reset();
    held.push_back(buffer(kLarge));
    CHECK(memory_stats().chunks == chunks);
  }
}

TEST_CASE("a step of changing width asks the system for memory only while it is new") {
  if (!kPooled) return;
  Stream stream(1, Purpose::test);
  const Tensor w = Tensor::normal({256, 256}, 0, 1, stream).requires_grad_(), x = Tensor::normal({512, 256}, 0, 1, stream);
  const auto step = [&](int64_t width) {
    const Tensor h = linear(x(all, Range{0, width}), w(Range{0, width}, Range{0, width}));
    sum(softmax(h) * h).backward();
  };
  for (int64_t width : {64, 128, 256}) step(width);
  const MemoryStats warm = memory_stats();
  for (int round = 0; round < 5; ++round) {
    for (int64_t width : {256, 64, 128, 192}) step(width);
  }
  CHECK(memory_stats().chunks == warm.chunks);
  CHECK(memory_stats().live_bytes == warm.live_bytes);
  CHECK(memory_stats().strided_copies == warm.strided_copies);
}

TEST_CASE("buffers may be taken and given back on any thread") {
  const int64_t before = memory_stats().live_bytes;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 500; ++i) {
        const Buffer a = buffer(1 + (i * 37 + t) % 5000);
        a->data()[0] = static_cast<Real>(i);
        const Buffer b = buffer(64);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(memory_stats().live_bytes == before);
}

TEST_CASE("impossible sizes are refused with a message") {
  CHECK_THROWS_WITH(buffer(-1), "memory: bad element count: -1");
  CHECK_THROWS_WITH(buffer(int64_t{1} << 50), "memory: bad element count: 1125899906842624");
}

TEST_CASE("with HYDRAVIT_GUARD, reading beside a buffer gives NaN and writing there ends the program") {
  if (!kPooled) return;
  for (const int64_t n : {0, 5, 16, 1000}) {
    const Buffer guarded = buffer(n);
    for (const int64_t at : {int64_t{-1}, n, n + 15}) CHECK(std::isnan(guarded->data()[at]));
    if (n > 0) CHECK(std::isnan(guarded->data()[n - 1]));
    for (const int64_t at : {int64_t{-1}, n, n + 15}) {
      int ends[2];
      REQUIRE(pipe(ends) == 0);
      const pid_t child = fork();
      if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        {
          const Buffer broken = buffer(n);
          broken->data()[at] = 0;
        }
        _exit(0);
      }
      close(ends[1]);
      char told[100] = {};
      CHECK(read(ends[0], told, sizeof told - 1) > 0);
      close(ends[0]);
      CHECK(std::string(told) == "memory: written beside a buffer (HYDRAVIT_GUARD)\n");
      int status = 0;
      waitpid(child, &status, 0);
      CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
    }
  }
}
