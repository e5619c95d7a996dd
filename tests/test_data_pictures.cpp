// Pictures from outside: what is decoded, to which pixels, what is refused and with which words. Readers of other programs'
// variants.
#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "data/image.h"
#include "data/inspect.h"
#include "data/pictures/budget.h"
#include "data/pictures/exif.h"
#include "tests/data_fixtures.h"
#include "tests/picture_fixtures.h"

using namespace hv;
using namespace hv::data;
using namespace hv::fixtures;

namespace {

// A palette of two colours, and pixels that ask for up to four.
Bytes short_palette() { return make_png(4, 1, 2, 3, zlib_stream({0, 0b00011011}), "PLTE", {255, 0, 0, 0, 255, 0}); }

}  // namespace

TEST_CASE("PNG: every flipped bit is refused, by CRC-32; so is a wrong Adler-32") {
  const Bytes good = encode_png({9, 7, noise(189)});
  int accepted = 0, strange = 0;
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const Caught e = refused(bad);
    accepted += e.code == 0;
    strange += e.code != 0 && (e.code != 3 || e.has(": : "));
  }
  CHECK(accepted == 0);
  CHECK(strange == 0);
  Bytes stream = zlib_stream({0, 1, 2, 3});
  CHECK(pixel(decoded(make_png(1, 1, 8, 2, stream)), 0, 0) == std::array<int, 3>{1, 2, 3});
  stream.back() ^= 1;
  CHECK(refused(make_png(1, 1, 8, 2, stream)).has("x: damaged image: IDAT: incorrect data check: replace the file"));
  const Bytes texted = make_png(1, 1, 8, 2, zlib_stream({0, 1, 2, 3}), "tEXt", {'a', 0, 'b'});
  CHECK(decoded(texted).warnings == 0);
  Bytes altered = texted;
  altered[8 + 25 + 10] ^= 1;  // 'b': in a chunk that has nothing to do with pixels
  CHECK(refused(altered).has("tEXt: CRC error"));
}

TEST_CASE("PNG: no closing chunk is a warning, missing pixels are not; a size or a variant that is refused is named") {
  const Bytes good = encode_png({9, 7, noise(189)});
  CHECK(decoded(first(good, good.size() - 12)).warnings == 1);
  CHECK(decoded(first(good, good.size() - 12)).chw == decoded(good).chw);
  for (size_t length = 8; length < good.size(); ++length)
    if (length != good.size() - 12) CHECK(refused(first(good, length)).code == 3);
  CHECK(refused(make_png(1, 2, 8, 2, zlib_stream({0, 1, 2, 3}))).has("x: damaged image: "));
  CHECK(refused(make_png(8193, 1, 8, 2, {})).has("x: picture too large: 8193 x 1, at most 8192 a side"));
  CHECK(refused(make_png(8000, 8000, 8, 2, {})).has("picture too large: 8000 x 8000"));
  Bytes apple = first(good, 8);
  append_chunk(apple, "CgBI", {0x50, 0, 0x20, 2});
  apple.insert(apple.end(), good.begin() + 8, good.end());
  CHECK(refused(apple).has("x: unsupported image: a CgBI PNG, which Xcode makes"));
}

TEST_CASE("PNG: 16 bits keep the high byte, alpha is dropped, grey and palettes become RGB") {
  CHECK(pixel(decoded(make_png(1, 1, 16, 6, zlib_stream({0, 1, 255, 2, 255, 3, 255, 4, 4}))), 0, 0) ==
        std::array<int, 3>{1, 2, 3});
  CHECK(pixel(decoded(make_png(1, 1, 8, 4, zlib_stream({0, 9, 0}))), 0, 0) == std::array<int, 3>{9, 9, 9});
  CHECK(pixel(decoded(make_png(4, 1, 2, 0, zlib_stream({0, 0b00011011}), "tRNS", {0, 1})), 0, 1) ==
        std::array<int, 3>{85, 85, 85});
  const Bytes shades = noise(63);
  Image grey{9, 7, {}};
  for (int c = 0; c < 3; ++c) grey.chw.insert(grey.chw.end(), shades.begin(), shades.end());
  CHECK((encode_png(grey)[25] == 0 && decoded(encode_png(grey)).chw == grey.chw));  // written in one channel, too
  grey.chw[100] ^= 1;
  CHECK((encode_png(grey)[25] == 2 && decoded(encode_png(grey)).chw == grey.chw));
  const Image palette = decoded(short_palette());
  CHECK(pixel(palette, 0, 1) == std::array<int, 3>{0, 255, 0});
  CHECK(pixel(palette, 0, 2) == std::array<int, 3>{0, 0, 0});  // no such colour
  CHECK(pixel(palette, 0, 3) == std::array<int, 3>{0, 0, 0});
}

// Memory that is read before it is written shows when memory is filled with something else.
TEST_CASE("pictures decode twice to the same, whatever was in memory") {
  std::vector<Bytes> files = {short_palette(), make_bmp(4, 1, 8, 0, {1, 2, 3, 0}, {0, 1, 2, 255})};
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/image"))
    files.push_back(read_bytes(entry.path().string()));
  CHECK(files.size() > 12);
  for (const Bytes& file : files) {
    const auto attempt = [&](int fill) {
      mallopt(M_PERTURB, fill);
      Image image;
      const Caught e = error_of([&] { image = decoded(file); });
      mallopt(M_PERTURB, 0);
      return std::pair(image.chw, e.text);
    };
    const auto one = attempt(0x11);
    CHECK(one == attempt(0xee));
    CHECK(one == attempt(0x53));
  }
}

TEST_CASE("formats are told by first bytes; foreign ones are refused by name") {
  const Bytes rgb = flat(6, {1, 2, 3});
  CHECK(picture_format(short_palette()) == "PNG");
  CHECK(picture_format(make_jpeg(rgb, 3, 2)) == "JPEG");
  CHECK(picture_format(make_webp(rgb, 3, 2, -1)) == "WebP");
  CHECK(picture_format(interlaced_gif()) == "GIF");
  CHECK(picture_format(make_bmp(1, 1, 24, 0, {}, {3, 2, 1, 0})) == "BMP");
  CHECK(picture_format(first(make_webp(rgb, 3, 2, -1), kFormatBytes)) == "WebP");
  const auto text = [](const std::string& s) { return Bytes(s.begin(), s.end()); };
  CHECK(picture_format({}).empty());
  CHECK(picture_format(text("BMW cars, and much more text")).empty());
  CHECK(picture_format(text("RIFF\1\1\1\1WAVEfmt ")).empty());
  CHECK(refused(text("hello")).has("x: neither a PNG nor a JPEG, WebP, GIF or BMP picture (by its first bytes)"));
  CHECK(refused(text("\x01\x01\x01\x18"
                     "ftypheic...."))
            .has("x: HEIC pictures are not read: convert it to PNG or JPEG"));
  CHECK(refused(Bytes{'I', 'I', '*', 0, 8, 0}).has("x: TIFF or raw pictures are not read"));
}

TEST_CASE("EXIF: the picture is turned upright, in PNG, JPEG and WebP") {
  // 3 x 2 pixels a b c / d e f; each orientation's upright rows.
  const std::array<std::pair<int, const char*>, 9> cases = {{{3, "abcdef"},
                                                             {3, "abcdef"},
                                                             {3, "cbafed"},
                                                             {3, "fedcba"},
                                                             {3, "defabc"},
                                                             {2, "adbecf"},
                                                             {2, "daebfc"},
                                                             {2, "fcebda"},
                                                             {2, "cfbead"}}};
  for (uint8_t orientation = 0; orientation < cases.size(); ++orientation)
    for (const bool little : {false, true}) {
      const Image image = decoded(
          make_png(3, 2, 8, 0, zlib_stream({0, 'a', 'b', 'c', 0, 'd', 'e', 'f'}), "eXIf", exif_block(orientation, little)));
      CHECK(image.width == cases[orientation].first);
      CHECK(image.warnings == 0);
      CHECK(std::string(image.chw.begin(), image.chw.begin() + 6) == cases[orientation].second);
    }
  JpegOptions options;
  options.exif = exif_block(6, false);  // turn right: the left edge becomes the top
  Bytes pixels = flat(16 * 16, {250, 0, 0});
  append(pixels, flat(16 * 32, {0, 0, 250}));
  const Image image = decoded(make_jpeg(pixels, 16, 48, options));
  CHECK(image.width == 48);
  CHECK(near(pixel(image, 8, 47), {250, 0, 0}));
  CHECK(near(pixel(image, 8, 0), {0, 0, 250}));

  Bytes block = exif_block(6, true);
  CHECK(exif_orientation(block) == 6);
  for (size_t length = 0; length < 22; ++length) CHECK(exif_orientation(first(block, length)) == 0);
  block[4] = 200;  // where the directory is
  CHECK(exif_orientation(block) == 0);
}

TEST_CASE("WebP, GIF, BMP: pixels, first pictures of animations, files cut short") {
  Bytes rgb;
  for (size_t i = 0; i < 18; ++i) rgb.push_back(static_cast<uint8_t>(13 * i));
  const auto rows_of = [](const Image& image) {
    Bytes rows;
    for (int64_t y = 0; y < image.height; ++y)
      for (int64_t x = 0; x < image.width; ++x)
        for (const int value : pixel(image, y, x)) rows.push_back(static_cast<uint8_t>(value));
    return rows;
  };
  const Bytes webp = make_webp(rgb, 3, 2, -1);
  CHECK(rows_of(decoded(webp)) == rgb);
  CHECK(rows_of(decoded(animated_webp())) == rgb);
  CHECK(near(pixel(decoded(make_webp(flat(400, {90, 120, 150}), 20, 20, 90)), 9, 9), {90, 120, 150}, 6));

  const Image gif = decoded(interlaced_gif());
  CHECK(gif.width == 9);
  CHECK(gif.height == 10);
  for (int64_t y = 0; y < 10; ++y)
    for (int64_t x = 0; x < 9; ++x) {
      const auto& want = kGifPalette[static_cast<size_t>((x * y + x / 3) % 4)];
      CHECK(pixel(gif, y, x) == std::array<int, 3>{want[0], want[1], want[2]});
    }

  Bytes framed = interlaced_gif();  // on a screen of 12 x 10
  framed[6] = 12;
  CHECK(decoded(framed).width == 12);
  CHECK(pixel(decoded(framed), 9, 11) == pixel(gif, 0, 0));
  CHECK(pixel(decoded(framed), 9, 8) == pixel(gif, 9, 8));

  const Bytes bmp = make_bmp(1, 2, 24, 0, {}, {3, 2, 1, 0, 6, 5, 4, 0});
  CHECK(rows_of(decoded(bmp)) == Bytes{4, 5, 6, 1, 2, 3});
  CHECK(rows_of(decoded(make_bmp(1, -2, 24, 0, {}, {3, 2, 1, 0, 6, 5, 4, 0}))) == Bytes{1, 2, 3, 4, 5, 6});
  CHECK(rows_of(decoded(make_bmp(1, 1, 16, 3, {0, 0xf8, 0, 0, 0xe0, 7, 0, 0, 0x1f, 0, 0, 0}, {0xff, 7, 0, 0}))) ==
        Bytes{0, 255, 255});
  const Image palette = decoded(make_bmp(2, 1, 4, 0, {9, 8, 7, 0}, {0x01, 0, 0, 0}));  // the second colour is missing
  CHECK(rows_of(palette) == Bytes{7, 8, 9, 0, 0, 0});
  CHECK(palette.warnings == 1);
  CHECK(refused(make_bmp(2, 1, 8, 1, Bytes(1024, 0), {2, 0, 0, 1})).has("x: unsupported image: a BMP that is compressed"));

  const auto cut = [&](const Bytes& good, size_t needed) {
    for (size_t length = kFormatBytes; length < needed; ++length) {
      const Caught e = refused(first(good, length));
      CHECK(e.has("x: damaged image: "));
      CHECK(e.code == 3);
    }
  };
  cut(webp, webp.size() - 1);                          // its length is even, its last byte may be padding
  cut(interlaced_gif(), interlaced_gif().size() - 5);  // the end code, the end of the blocks, of the file
  cut(bmp, bmp.size() - 1);
}

TEST_CASE("decoders share a budget of memory: first come, first served, never above it, no deadlock") {
  Budget budget(100);
  std::atomic<int64_t> held{0}, most{0}, done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const int64_t wish = (t * 37 + i * 13) % 120 + 1, bytes = std::min<int64_t>(wish, 100);
        Lease lease(budget);
        lease.take(wish);
        const int64_t now = held += bytes;
        for (int64_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
        held -= bytes;
        ++done;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(done == 300);
  CHECK(most <= 100);
  CHECK(most > 60);

  // A decoder waits for a budget that others have used up.
  std::atomic<bool> ready{false};
  std::thread waiting;
  {
    Lease all(decoder_budget());
    all.take(kDecoderBudget);
    waiting = std::thread([&] {
      decoded(short_palette());
      ready = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(!ready);
  }
  waiting.join();
  CHECK(ready);
}

TEST_CASE("data verify counts pictures that were read with warnings") {
  TempDir dir;
  const Bytes good = make_jpeg(noise(3 * 64), 8, 8), stray = with(good, marker_at(good, 0xdb), {7});
  for (int i = 0; i < 5; ++i) write_bytes(dir / concat("a/", i, ".jpg"), i == 2 ? stray : good);
  const VerifyResult result = verify({dir.path(), "folder"});
  CHECK(result.ok);
  CHECK(result.images == 5);
  CHECK(result.warned == 1);
  CHECK(result.first_warned == std::vector<std::string>{dir / "a/2.jpg"});
}
