// JPEG from outside: warnings and missing data, rare sampling, CMYK, sizes above the limits.
#include <doctest/doctest.h>

#include <cmath>

#include "data/image.h"
#include "tests/data_fixtures.h"
#include "tests/picture_fixtures.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

TEST_CASE("JPEG: what stands beside the picture's data is a warning, missing data is not") {
  const Bytes pixels = noise(3 * 32 * 24);
  for (const bool progressive : {false, true}) {
    JpegOptions options;
    options.progressive = progressive;
    options.exif = exif_block(1, true);
    const Bytes good = make_jpeg(pixels, 32, 24, options);
    const Image image = decoded(good);
    CHECK(image.warnings == 0);
    const auto warned = [&](const Bytes& bytes) {
      Image other;
      CHECK(error_of([&] { other = decoded(bytes); }).text == "no error");
      return other.warnings > 0 && other.chw == image.chw;
    };
    CHECK(warned(with(good, marker_at(good, 0xdb), {7})));           // a stray byte between markers
    CHECK(warned(with(good, good.size() - 2, flat(9, {1, 2, 3}))));  // and before the end
    CHECK(warned(first(good, good.size() - 2)));                     // no end marker
    CHECK(decoded(with(good, good.size(), noise(99))).chw == image.chw);
    Bytes exif = good;
    exif[marker_at(good, 0xe1) + 10] = 'X';  // the byte order
    CHECK(warned(exif));
    exif = good;
    exif[marker_at(good, 0xe1) + 3] -= 9;  // the length
    CHECK(warned(exif));
    for (const size_t less : {10u, 40u, 200u}) {
      CHECK(refused(first(good, good.size() - less)).has("x: damaged image: "));
      Bytes closed = first(good, good.size() - less);
      append(closed, Bytes{0xff, 0xd9});
      if (!progressive || less < 200) CHECK(refused(closed).has("x: damaged image: "));
    }
  }
}

TEST_CASE("JPEG: rare sampling is decoded; what the library cannot decode is called unsupported, not damaged") {
  const Bytes colour = {200, 60, 30};
  for (const auto& [across, down] : {std::pair(4, 1), {4, 2}, {1, 2}, {1, 4}, {3, 1}, {2, 2}, {1, 1}}) {
    JpegOptions options;
    options.across = across;
    options.down = down;
    CAPTURE(options.across);
    CAPTURE(options.down);
    CHECK(near(pixel(decoded(make_jpeg(flat(40 * 40, colour), 40, 40, options)), 20, 20), {200, 60, 30}));
  }
  const Bytes good = make_jpeg(flat(64, colour), 8, 8);
  const size_t frame = marker_at(good, 0xc0);
  const auto altered = [&](std::initializer_list<std::pair<size_t, uint8_t>> changes) {
    Bytes bytes = good;
    for (const auto& [at, value] : changes) bytes[frame + at] = value;
    return refused(bytes);
  };
  for (const Caught& e : {altered({{1, 0xc3}}), altered({{4, 12}}), altered({{11, 0x31}, {14, 0x21}})}) {
    CHECK(e.has("x: unsupported image: "));
    CHECK(e.has(": convert it"));
    CHECK(e.code == 3);
  }
}

TEST_CASE("JPEG: CMYK becomes RGB as Pillow does it") {
  for (const J_COLOR_SPACE space : {JCS_CMYK, JCS_YCCK}) {
    JpegOptions options;
    options.space = space;
    options.across = options.down = 1;
    // 255 - ink, as Adobe's programs store it: cyan 55, magenta 155, yellow 255, black 51.
    const Image image = decoded(make_jpeg(flat(64, {200, 100, 0, 204}), 8, 8, options));
    CHECK(near(pixel(image, 3, 3), {160, 80, 0}));
  }
  JpegOptions grey;
  grey.space = JCS_GRAYSCALE;
  grey.across = grey.down = 1;
  CHECK(near(pixel(decoded(make_jpeg(flat(64, {77}), 8, 8, grey)), 3, 3), {77, 77, 77}));
}

TEST_CASE("JPEG above the limits is decoded at a reduced size") {
  TempDir dir;
  write_bytes(dir / "wide.jpg", make_jpeg(flat(16400 * 64, {200, 60, 30}), 16400, 64));
  const Image image = load_image(dir / "wide.jpg");  // a half would be 8200 wide
  CHECK(image.width == 4100);
  CHECK(image.height == 16);
  CHECK(near(pixel(image, 8, 4000), {200, 60, 30}));
  int64_t width = 0;
  with_image(dir / "wide.jpg", 4, [&](const Image& small) { width = small.width; });
  CHECK(width == 2050);
  with_image(dir / "wide.jpg", 5, [&](const Image& small) { width = small.width; });
  CHECK(width == 4100);
  Bytes giant = make_jpeg(flat(64, {1, 2, 3}), 8, 8);
  for (const size_t at : {5u, 6u, 7u, 8u}) giant[marker_at(giant, 0xc0) + at] = 0xff;
  CHECK(refused(giant).has("x: "));
  giant[marker_at(giant, 0xc0) + 6] = giant[marker_at(giant, 0xc0) + 8] = 0;  // 65,280 x 65,280
  CHECK(refused(giant).has("x: picture too large: 65280 x 65280, an eighth of it may have at most 8192 a side"));
}
