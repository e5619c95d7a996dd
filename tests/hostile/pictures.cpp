#include "tests/hostile/pictures.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "core/random.h"
#include "tests/picture_fixtures.h"

namespace hv::hostile {
namespace {

using namespace hv::fixtures;

bool failed = false;

void complain(const std::string& what) {
  failed = true;
  std::printf("FAILED %s\n", what.c_str());
}

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The pixels, or none if it is refused.
Bytes pixels_of(const std::string& what, const Bytes& bytes) {
  try {
    return data::decode_image(bytes, what).chw;
  } catch (const Error& error) {
    if (error.fault() != Fault::input || std::string(error.what()).find(": : ") != std::string::npos) complain(error.what());
  } catch (const std::exception& error) {
    complain(concat(what, ": ", error.what()));
  }
  return {};
}

void alter(const char* name, const Bytes& good, bool checked, long share) {
  const Bytes pixels = pixels_of(name, good);
  if (pixels.empty()) complain(concat(name, " is refused"));
  Stream stream(1, Purpose::test);
  const auto below = [&](size_t n) { return static_cast<size_t>(stream.below(static_cast<uint32_t>(n))); };
  long cases = 0, decoded = 0;
  double slowest = 0;
  const auto attempt = [&](const std::string& what, const Bytes& bytes) {
    const double start = thread_seconds();
    const Bytes one = pixels_of(what, bytes), two = pixels_of(what, bytes);
    slowest = std::max(slowest, (thread_seconds() - start) / 2);
    if (one != two) complain(what + ": decoded twice, to different pixels");
    if (checked && !one.empty() && one != pixels) complain(what + ": decoded to other pixels");
    ++cases;
    decoded += !one.empty();
  };
  const auto step = static_cast<size_t>(share);
  for (size_t length = 0; length < good.size(); length += step) attempt(concat(name, " cut at ", length), first(good, length));
  for (size_t bit = 0; bit < 8 * good.size(); bit += step) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    attempt(concat(name, ", bit ", bit), bad);
  }
  for (long i = 0; i < 1000 / share; ++i) {  // a piece of the file over or between other bytes of it
    const size_t from = below(good.size()), length = 1 + below(good.size() - from), to = below(good.size());
    const Bytes piece(good.begin() + static_cast<int64_t>(from), good.begin() + static_cast<int64_t>(from + length));
    Bytes bad = good;
    if (below(2) == 0)
      bad.erase(bad.begin() + static_cast<int64_t>(to), bad.begin() + static_cast<int64_t>(std::min(to + length, bad.size())));
    attempt(concat(name, ", splice ", i), with(bad, to, piece));
  }
  if (slowest > 1) complain(concat(name, ": more than a second"));
  std::printf("%-12s %-28s %6ld cases, %ld decoded; slowest %.3f s\n", name, "cut, bits, splices", cases, decoded, slowest);
}

long resident_mib() {
  std::ifstream status("/proc/self/statm");
  long size = 0, resident = 0;
  status >> size >> resident;
  return resident * 4096 >> 20;
}

// 40 million black pixels in 155 KB, decoded by 24 threads at once.
void share_memory() {
  data::Image black{5000, 8000, Bytes(120'000'000)};
  const TempDir folder;
  const std::string path = folder / "black.png";
  data::write_png(path, black);
  black = {};
  const long before = resident_mib();
  std::atomic<long> good{0}, left{24};
  long most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 24; ++t)
    threads.emplace_back([&] {
      data::with_image(path, 224, [&](const data::Image& image) { good += image.width == 8000; });
      --left;
    });
  while (left > 0) {
    most = std::max(most, resident_mib() - before);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (std::thread& thread : threads) thread.join();
  if (good != 24) complain("black.png: not decoded by all threads");
#ifndef HV_ASAN  // AddressSanitizer keeps what was freed
  if (most > 1100) complain("black.png: decoders exceed their budget");
#endif
  std::printf("%-12s %-28s %6ld MiB above the start\n", "png", "40 megapixels, 24 threads", most);
}

}  // namespace

bool alter_pictures(long share) {
  Bytes rgb;
  for (int i = 0; i < 18 * 15 * 3; ++i) rgb.push_back(static_cast<uint8_t>(i * 7 + i / 54 * 31));
  data::Image image{15, 18, rgb};
  JpegOptions options;
  options.exif = exif_block(6, true);
  alter("png", data::encode_png(image), true, share);
  alter("jpeg", make_jpeg(rgb, 18, 15, options), false, share);
  options.progressive = true;
  alter("progressive", make_jpeg(rgb, 18, 15, options), false, share);
  alter("lossy webp", make_webp(rgb, 18, 15, 60), false, share);
  alter("webp", make_webp(rgb, 18, 15, -1), false, share);
  alter("gif", interlaced_gif(), false, share);
  alter("bmp", make_bmp(1, 2, 24, 0, {}, {3, 2, 1, 0, 6, 5, 4, 0}), false, share);
  if (share == 1) share_memory();
  return !failed;
}

}  // namespace hv::hostile
