// The decoders behind data/image.h: one file per format, one outside library per file. formats.cpp picks one by the first
// bytes.
//
// stb_image reads most of these formats, but it tests no checksum of a PNG, reads memory that was never written (palettes),
// makes pixels up where a file is cut short, and fuzzing its JPEG reader (version 2.27, which Debian 12 has) finds accesses out
// of bounds within seconds. So libpng, libjpeg-turbo and libwebp decode; BMP and GIF are short enough for decoders of our own.
//
// Invariants of every decoder
//   1. The size is checked, then memory is taken from the budget of all decoders, then pixels are allocated.
//   2. The same bytes give the same pixels: no memory is read before it was written.
//   3. A file is refused if its checksums are wrong or if data of the picture is missing. What a reader can pass over (stray
//      bytes, an EXIF block that cannot be read, no end marker) is counted as a warning.
//   4. A refusal says whether the file is damaged, or whole but of a kind that is not read here (unsupported).
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <string>

#include "core/check.h"
#include "data/pictures/budget.h"

namespace hv::data {

constexpr int64_t kMaxFile = int64_t{64} << 20, kMaxSide = 8192;
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // small files of large pictures would take most of the time
constexpr int64_t kMaxPixels = 1 << 16;
#else
constexpr int64_t kMaxPixels = 40'000'000;
#endif
constexpr int64_t kMaxDecoder = int64_t{512} << 20;  // bytes of one JPEG decoder

struct Encoded {
  std::span<const uint8_t> bytes;
  const std::string& name;  // for errors
  int64_t side;             // what the shorter side will be resized to; 0: unknown
  Lease& memory;            // of decoder_budget()
};

// Rows of red, green, blue as the file has them, still to be turned upright.
struct Rows {
  int64_t height = 0, width = 0;
  std::unique_ptr<uint8_t[], void (*)(void*)> rgb{nullptr, std::free};  // 3 * height * width bytes
  int orientation = 1;                                                  // of EXIF
  int64_t warnings = 0;
};

using Decode = Rows (*)(const Encoded& file);
Decode decoder_of(std::span<const uint8_t> bytes);           // by the first bytes; null: not one of these
const char* foreign_format(std::span<const uint8_t> first);  // a format that is known and not read ("TIFF"), or ""

Rows decode_png(const Encoded& file);
Rows decode_jpeg(const Encoded& file);
Rows decode_webp(const Encoded& file);
Rows decode_bmp(const Encoded& file);
Rows decode_gif(const Encoded& file);

inline bool acceptable_size(int64_t width, int64_t height) {
  return width > 0 && height > 0 && width <= kMaxSide && height <= kMaxSide && width * height <= kMaxPixels;
}

// Checks the size, waits for the memory (rows, then planes, and `more` bytes of the decoder's own), and allocates the rows, all
// black.
inline Rows make_rows(const Encoded& file, int64_t width, int64_t height, int64_t more = 0) {
  HV_CHECK_INPUT(width > 0 && height > 0, file.name, ": damaged image: ", width, " x ", height, " pixels: replace the file");
  HV_CHECK_INPUT(acceptable_size(width, height), file.name, ": picture too large: ", width, " x ", height, ", at most ",
                 kMaxSide, " a side and ", kMaxPixels, " pixels are accepted: shrink it");
  file.memory.take(6 * width * height + more);
  // calloc, because pages that are never written take neither memory nor time: hostile headers promise much and hold little.
  Rows rows{height, width, {static_cast<uint8_t*>(std::calloc(static_cast<size_t>(3 * width * height), 1)), std::free}};
  if (!rows.rgb) throw std::bad_alloc();
  return rows;
}

inline void check_damage(bool good, const Encoded& file, const char* what) {
  HV_CHECK_INPUT(good, file.name, ": damaged image: ", what, ": replace the file");
}
inline void check_support(bool good, const Encoded& file, const char* what) {
  HV_CHECK_INPUT(good, file.name, ": unsupported image: ", what, ": convert it to PNG or to a baseline JPEG");
}

// How to turn the picture; a block that cannot be read is a warning.
void read_exif(std::span<const uint8_t> block, Rows& rows);

}  // namespace hv::data
