// BMP: uncompressed pictures of 1 to 32 bits a pixel, with a palette or with masks.
#include <algorithm>
#include <array>
#include <bit>

#include "data/pictures/decoders.h"
#include "data/pictures/little_endian.h"

namespace hv::data {
namespace {

struct Header {
  size_t pixels = 0, bytes = 0;  // where the pixels begin; size of the second header
  int64_t width = 0, height = 0;
  size_t bits = 0, entry = 0, used = 0;  // per pixel; bytes of an entry of the palette; its entries, 0: all
  bool top_down = false;
  std::array<uint32_t, 3> masks{};  // red, green, blue; of 16 and 32 bits
};

Header read_header(const Encoded& file) {
  const LittleEndian in{file.bytes};
  Header h;
  check_damage(file.bytes.size() >= 26, file, "a BMP file that is cut short");
  h.pixels = in.number(10, 4);
  h.bytes = in.number(14, 4);
  size_t compression = 0;
  if (h.bytes == 12) {  // OS/2
    h.width = static_cast<int64_t>(in.number(18, 2));
    h.height = static_cast<int64_t>(in.number(20, 2));
    h.bits = in.number(24, 2);
    h.entry = 3;
  } else {
    check_damage(file.bytes.size() >= 54, file, "a BMP file that is cut short");
    h.width = static_cast<int32_t>(in.number(18, 4));
    h.height = static_cast<int32_t>(in.number(22, 4));
    h.bits = in.number(28, 2);
    h.entry = 4;
    compression = in.number(30, 4);
    h.used = in.number(46, 4);
  }
  h.top_down = h.height < 0;
  h.height = std::abs(h.height);
  if (h.bits == 16) h.masks = {0x7c00, 0x3e0, 0x1f};
  if (h.bits == 24 || h.bits == 32) h.masks = {0xff0000, 0xff00, 0xff};
  const bool masked = (compression == 3 || compression == 6) && (h.bits == 16 || h.bits == 32);
  if (masked) {
    check_damage(file.bytes.size() >= 66, file, "a BMP file that is cut short");
    for (size_t c = 0; c < 3; ++c) h.masks[c] = static_cast<uint32_t>(in.number(54 + 4 * c, 4));
  }
  const bool usual = h.bits == 1 || h.bits == 4 || h.bits == 8 || h.bits == 16 || h.bits == 24 || h.bits == 32;
  check_support(usual && (compression == 0 || masked), file, "a BMP that is compressed, or of an unusual number of bits");
  return h;
}

}  // namespace

Rows decode_bmp(const Encoded& file) {
  const Header h = read_header(file);
  Rows rows = make_rows(file, h.width, h.height);
  const auto width = static_cast<size_t>(h.width), height = static_cast<size_t>(h.height);
  const size_t stride = (width * h.bits + 31) / 32 * 4, last = (width * h.bits + 7) / 8;  // the last row may lack its padding
  check_damage(
      h.pixels >= 14 + h.bytes && h.pixels <= file.bytes.size() && stride * (height - 1) + last <= file.bytes.size() - h.pixels,
      file, "a BMP file that is cut short");
  const LittleEndian in{file.bytes};
  const size_t palette = 14 + h.bytes;
  size_t colours = (h.pixels - palette) / h.entry;
  if (h.used > 0) colours = std::min(colours, h.used);
  bool missing = false;
  for (size_t y = 0; y < height; ++y) {
    const size_t row = h.pixels + stride * (h.top_down ? y : height - 1 - y);
    uint8_t* out = rows.rgb.get() + 3 * width * y;
    for (size_t x = 0; x < width; ++x, out += 3) {
      if (h.bits > 8) {
        const auto value = static_cast<uint32_t>(in.number(row + x * h.bits / 8, h.bits / 8));
        for (size_t c = 0; c < 3; ++c) {
          if (h.masks[c] == 0) continue;
          const int shift = std::countr_zero(h.masks[c]);
          const uint64_t part = (value & h.masks[c]) >> shift;
          out[c] = static_cast<uint8_t>(part * 255 / (h.masks[c] >> shift));
        }
        continue;
      }
      const size_t in_byte = 8 - h.bits - x * h.bits % 8;
      const size_t index = file.bytes[row + x * h.bits / 8] >> in_byte & ((size_t{1} << h.bits) - 1);
      if (index >= colours) {  // stays black
        missing = true;
        continue;
      }
      for (size_t c = 0; c < 3; ++c) out[c] = file.bytes[palette + h.entry * index + 2 - c];
    }
  }
  rows.warnings += missing;
  return rows;
}

}  // namespace hv::data
