// Small pictures of every format, made for tests and for the corpus of fuzzing.
#pragma once

// jpeglib.h needs cstdio.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <webp/encode.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/check.h"
#include "data/image.h"
#include "tests/data_fixtures.h"

namespace hv::fixtures {

using Bytes = std::vector<uint8_t>;

inline void append(Bytes& bytes, size_t value, int count, bool little = false) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * (little ? i : count - 1 - i)));
}
inline void append(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
inline void append(Bytes& bytes, const std::string& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
inline Bytes from_hex(const std::string& hex) {
  Bytes bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

// --- PNG --------------------------------------------------------------------------------------------------------------------

inline uint32_t crc32_of(const uint8_t* bytes, size_t count) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  return ~crc;
}
inline void append_chunk(Bytes& png, const std::string& type, const Bytes& content) {
  append(png, content.size(), 4);
  const size_t from = png.size();
  append(png, type);
  append(png, content);
  append(png, crc32_of(png.data() + from, png.size() - from), 4);
}
// A stream that is not compressed, and its Adler-32.
inline Bytes zlib_stream(const Bytes& content) {
  Bytes stream = {0x78, 0x01, 1};
  append(stream, content.size(), 2, true);
  append(stream, ~content.size(), 2, true);
  append(stream, content);
  uint32_t a = 1, b = 0;
  for (const uint8_t byte : content) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  append(stream, b << 16 | a, 4);
  return stream;
}
// `rows`: each begins with its filter, 0. The chunk `more` comes before the pixels.
inline Bytes make_png(size_t width, size_t height, uint8_t depth, uint8_t colour, const Bytes& stream,
                      const std::string& more = "", const Bytes& content = {}) {
  Bytes png = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, header;
  append(header, width, 4);
  append(header, height, 4);
  append(header, Bytes{depth, colour, 0, 0, 0});
  append_chunk(png, "IHDR", header);
  if (!more.empty()) append_chunk(png, more, content);
  append_chunk(png, "IDAT", stream);
  append_chunk(png, "IEND", {});
  return png;
}

// --- EXIF, BMP --------------------------------------------------------------------------------------------------------------

inline Bytes exif_block(uint8_t orientation, bool little) {
  Bytes block;
  append(block, std::string(little ? "II" : "MM"));
  append(block, 42, 2, little);
  append(block, 8, 4, little);
  append(block, 1, 2, little);
  append(block, 0x0112, 2, little);
  append(block, 3, 2, little);
  append(block, 1, 4, little);
  append(block, orientation, 2, little);
  append(block, 0, 6, little);
  return block;
}

// `rest`: masks or palette; `rows`: from below, each a multiple of four bytes.
inline Bytes make_bmp(int32_t width, int32_t height, size_t bits, size_t compression, const Bytes& rest, const Bytes& rows) {
  Bytes bmp;
  append(bmp, std::string("BM"));
  append(bmp, 54 + rest.size() + rows.size(), 4, true);
  append(bmp, 0, 4);
  append(bmp, 54 + rest.size(), 4, true);
  append(bmp, 40, 4, true);
  append(bmp, static_cast<uint32_t>(width), 4, true);
  append(bmp, static_cast<uint32_t>(height), 4, true);
  append(bmp, 1, 2, true);
  append(bmp, bits, 2, true);
  append(bmp, compression, 4, true);
  append(bmp, Bytes(20, 0));
  append(bmp, rest);
  append(bmp, rows);
  return bmp;
}

// --- WebP, GIF --------------------------------------------------------------------------------------------------------------

// `quality`: below 0 for lossless.
inline Bytes make_webp(const Bytes& rgb, int width, int height, float quality) {
  uint8_t* out = nullptr;
  const size_t size = quality < 0 ? WebPEncodeLosslessRGB(rgb.data(), width, height, 3 * width, &out)
                                  : WebPEncodeRGB(rgb.data(), width, height, 3 * width, quality, &out);
  const Bytes bytes(out, out + size);
  WebPFree(out);
  return bytes;
}
// Two pictures of 3 x 2; byte i of the rows of the first is 13 * i.
inline Bytes animated_webp() {
  return from_hex(
      "52494646b200000057454250565038580a00000002000000020000010000414e494d06000000000000000000414e4d463c0000000000000000000200"
      "00"
      "010000000000025650384c240000002f024000002f20104808e2d89f718939b9c6c9fc27b6a1a66d0336d4f9975323fa1fd30b414e4d464200000000"
      "00"
      "00000000020000010000000000005650384c290000002f024000002f20164c7076e6cf97c44f7814a46dc0622fedcefc67c90d0201ca58f1c02711fd"
      "8f"
      "770000");
}
// 9 x 10, interlaced; pixel (y, x) has colour (x * y + x / 3) % 4.
inline constexpr std::array<std::array<uint8_t, 3>, 4> kGifPalette = {{{10, 20, 30}, {200, 0, 0}, {0, 150, 7}, {255, 255, 99}}};
inline Bytes interlaced_gif() {
  return from_hex(
      "47494638376109000a008100000a141ec80000009607ffff632c0000000009000a000008330001080c405080410001042054981080c2010106287c68"
      "30"
      "8040890211163cd8b0e34400103152146011a4c2811b19aa5c1810003b");
}

// --- JPEG -------------------------------------------------------------------------------------------------------------------

struct JpegOptions {
  J_COLOR_SPACE space = JCS_YCbCr;  // as stored; the pixels are RGB, grey or CMYK
  int across = 2, down = 2;         // samples of the first component per sample of the others
  bool progressive = false;
  Bytes exif{};
};
inline Bytes make_jpeg(const Bytes& pixels, unsigned width, unsigned height, const JpegOptions& options = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);  // ends the program on an error, which would be one of the test
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = width;
  info.image_height = height;
  const bool four = options.space == JCS_CMYK || options.space == JCS_YCCK, grey = options.space == JCS_GRAYSCALE;
  info.input_components = four ? 4 : grey ? 1 : 3;
  info.in_color_space = four ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
  HV_CHECK(pixels.size() == size_t{width} * height * static_cast<size_t>(info.input_components), "test: JPEG of another size");
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, options.space);
  jpeg_set_quality(&info, 95, TRUE);
  info.comp_info[0].h_samp_factor = options.across;
  info.comp_info[0].v_samp_factor = options.down;
  if (options.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!options.exif.empty()) {
    Bytes marker;
    append(marker, std::string("Exif\0\0", 6));
    append(marker, options.exif);
    jpeg_write_marker(&info, JPEG_APP0 + 1, marker.data(), static_cast<unsigned>(marker.size()));
  }
  Bytes line(pixels.size() / height);
  while (info.next_scanline < height) {
    line.assign(pixels.begin() + static_cast<int64_t>(info.next_scanline * line.size()),
                pixels.begin() + static_cast<int64_t>((info.next_scanline + 1) * line.size()));
    uint8_t* row = line.data();
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const Bytes bytes(out, out + size);
  std::free(out);
  return bytes;
}
// Where a marker stands, for tests that change it.
inline size_t marker_at(const Bytes& jpeg, uint8_t marker) {
  for (size_t i = 0; i + 1 < jpeg.size(); ++i)
    if (jpeg[i] == 0xff && jpeg[i + 1] == marker) return i;
  fail(Fault::failure, "test: no such marker");
}

// --- what tests ask of them -------------------------------------------------------------------------------------------------

inline data::Image decoded(const Bytes& bytes) { return data::decode_image(bytes, "x"); }
inline Caught refused(const Bytes& bytes) {
  return error_of([&] { decoded(bytes); });
}

inline std::array<int, 3> pixel(const data::Image& image, int64_t y, int64_t x) {
  std::array<int, 3> rgb{};
  for (size_t c = 0; c < 3; ++c)
    rgb[c] = image.chw[static_cast<size_t>((static_cast<int64_t>(c) * image.height + y) * image.width + x)];
  return rgb;
}
inline bool near(const std::array<int, 3>& a, const std::array<int, 3>& b, int by = 3) {
  return std::abs(a[0] - b[0]) <= by && std::abs(a[1] - b[1]) <= by && std::abs(a[2] - b[2]) <= by;
}

inline Bytes noise(size_t count) {
  Bytes bytes;
  for (size_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(i * i * 37 + i * 101));
  return bytes;
}
inline Bytes flat(size_t pixels, const Bytes& colour) {
  Bytes bytes;
  for (size_t i = 0; i < pixels; ++i) append(bytes, colour);
  return bytes;
}
inline Bytes with(Bytes bytes, size_t at, const Bytes& more) {
  bytes.insert(bytes.begin() + static_cast<int64_t>(at), more.begin(), more.end());
  return bytes;
}
inline Bytes first(const Bytes& bytes, size_t count) { return {bytes.begin(), bytes.begin() + static_cast<int64_t>(count)}; }

}  // namespace hv::fixtures
