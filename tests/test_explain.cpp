// Heat over images, and panels of pictures.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/error_of.h"
#include "train/explain/explain.h"

using namespace hv;
using namespace hv::train;

namespace {

int at(const data::Image& image, int64_t channel, int64_t y, int64_t x) {
  return image.chw[static_cast<size_t>((channel * image.height + y) * image.width + x)];
}

data::Image grey(int64_t height, int64_t width, uint8_t value) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(3 * height * width), value)};
}

// OKLab of an sRGB colour, by the published forward matrices: the way back from train/explain/explain.cpp.
std::array<double, 3> oklab(const std::array<uint8_t, 3>& colour) {
  std::array<double, 3> linear{};
  for (size_t c = 0; c < 3; ++c) {
    const double x = colour[c] / 255.0;
    linear[c] = x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
  }
  const auto [r, g, b] = linear;
  const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s, 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
          0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

}  // namespace

TEST_CASE("explain: equal steps of heat look equally large and grow lighter") {
  for (int i = 0; i < 20; ++i) {
    const std::array<double, 3> a = oklab(heat_colour(i / 20.0)), b = oklab(heat_colour((i + 1) / 20.0));
    CHECK(b[0] - a[0] == doctest::Approx(0.65 / 20).epsilon(0.1));
    const double arc = 0.165 * 195 * 3.14159265 / 180;
    CHECK(std::hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2]) == doctest::Approx(std::hypot(0.65, arc) / 20).epsilon(0.05));
  }
  CHECK(heat_colour(-3) == heat_colour(0));
  CHECK(heat_colour(7) == heat_colour(1));
}

TEST_CASE("explain: the overlay is light where the heat is, smooth between, and of the image's size") {
  const Heat heat{2, 2, {0, 0, 0, 4}};
  const data::Image out = overlay(grey(40, 60, 128), heat);
  CHECK(out.height == 40);
  CHECK(out.width == 60);
  const auto light = [&](int64_t y, int64_t x) {
    return oklab({uint8_t(at(out, 0, y, x)), uint8_t(at(out, 1, y, x)), uint8_t(at(out, 2, y, x))})[0];
  };
  CHECK(light(39, 59) > light(0, 0) + 0.3);
  for (int64_t x = 1; x < 60; ++x) {
    CHECK(light(35, x) >= light(35, x - 1) - 0.01);  // never darker towards the hot corner, up to rounding
    CHECK(light(35, x) <= light(35, x - 1) + 0.05);  // and without a jump
  }
  // The middle of a cell has its own colour: 0.6 of it over 0.4 of the grey below.
  const std::array<uint8_t, 3> hot = heat_colour(1), half = heat_colour(0.5);
  for (int64_t c = 0; c < 3; ++c) {
    CHECK(std::abs(at(out, c, 35, 55) - (0.4 * 128 + 0.6 * hot[size_t(c)])) < 1);
    CHECK(std::abs(at(overlay(grey(40, 60, 128), heat, 0, 8), c, 35, 55) - (0.4 * 128 + 0.6 * half[size_t(c)])) < 1);
  }
  CHECK(at(overlay(grey(4, 4, 255), heat), 0, 0, 0) > at(overlay(grey(4, 4, 0), heat), 0, 0, 0));  // the image shows through
  const Heat even{1, 2, {3, 3}};
  CHECK(at(overlay(grey(4, 4, 0), even), 2, 1, 1) == at(overlay(grey(4, 4, 0), heat), 2, 0, 0));  // all cold; no division by 0
  CHECK(test::error_of([&] { overlay(grey(4, 4, 0), {2, 2, {1}}); }) == "overlay: 1 values, expected 2 x 2");
}

TEST_CASE("explain: small pictures grow by whole pixels; panels put pictures and captions in their places") {
  data::Image small = grey(3, 4, 0);
  for (size_t i = 0; i < small.chw.size(); ++i) small.chw[i] = static_cast<uint8_t>(7 * i);
  const data::Image large = enlarge(small, 10);
  REQUIRE(large.height == 12);
  REQUIRE(large.width == 16);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = 0; y < 12; ++y)
      for (int64_t x = 0; x < 16; ++x) CHECK(at(large, c, y, x) == at(small, c, y / 4, x / 4));
  CHECK(enlarge(large, 12).chw == large.chw);

  const auto black_below = [](const data::Image& image, int64_t top) {
    int64_t count = 0;
    for (int64_t y = top; y < image.height; ++y)
      for (int64_t x = 0; x < image.width; ++x) count += at(image, 1, y, x) == 0;
    return count;
  };
  const data::Image plain = panel({{{grey(50, 60, 10), ""}, {grey(40, 30, 20), ""}}, {{grey(5, 5, 30), ""}}}, 4);
  CHECK(plain.height == 2 * (50 + 4) + 4);
  CHECK(plain.width == 2 * (60 + 4) + 4);
  CHECK(at(plain, 0, 4, 4) == 10);
  CHECK(at(plain, 0, 4, 68) == 20);
  CHECK(at(plain, 0, 58, 4) == 30);
  CHECK(at(plain, 0, 58, 68) == 255);
  CHECK(at(plain, 2, 3, 4) == 255);

  const data::Image one = panel({{{grey(50, 60, 10), "a"}}}, 4), two = panel({{{grey(50, 60, 10), "a\nb"}}}, 4);
  CHECK(two.height - one.height == one.height - panel({{{grey(50, 60, 10), ""}}}, 4).height);
  CHECK(black_below(one, 54) > 0);
  CHECK(black_below(two, 54) > black_below(one, 54));
  // Text from outside may have any bytes and any length. What does not fit is cut off and is not drawn over the next picture.
  std::string bytes;
  for (int i = 1; i < 256; ++i) bytes += static_cast<char>(i);
  const data::Image odd = panel({{{grey(50, 60, 10), bytes}, {grey(50, 60, 10), ""}}}, 4);
  for (int64_t y = 54; y < odd.height; ++y)
    for (int64_t x = 64; x < odd.width; ++x) CHECK(at(odd, 0, y, x) == 255);
  CHECK(panel({{{grey(50, 60, 10), "caf\xc3\xa9"}}}).chw == panel({{{grey(50, 60, 10), "caf?"}}}).chw);

  const data::Image key = colour_key(300, "little", "much"), both = stack(plain, colour_key(plain.width, "a", "b"));
  CHECK(at(key, 0, 12, 100) == heat_colour(0)[0]);
  CHECK(at(key, 0, 12, 199) == heat_colour(1)[0]);
  CHECK(both.height == plain.height + key.height);
  CHECK(test::error_of([&] { panel({}); }) == "panel: no pictures");
}
