// GIF: the first picture of the file.
#include <algorithm>
#include <array>
#include <vector>

#include "data/pictures/decoders.h"
#include "data/pictures/little_endian.h"

namespace hv::data {
namespace {

constexpr const char* kCut = "a GIF file that is cut short";

// Reads on from a place in the file, and never past its end.
struct Cursor {
  const Encoded& file;
  size_t at = 0;

  size_t number(size_t count) {
    check_damage(count <= file.bytes.size() - at, file, kCut);
    at += count;
    return LittleEndian{file.bytes}.number(at - count, count);
  }
  std::span<const uint8_t> take(size_t count) {
    check_damage(count <= file.bytes.size() - at, file, kCut);
    at += count;
    return file.bytes.subspan(at - count, count);
  }
};

// Codes of a growing number of bits, in blocks of at most 255 bytes.
class Codes {
 public:
  Codes(Cursor& in) : in_(in) {}
  size_t next(int bits) {
    while (held_ < bits) {
      if (block_.empty()) block_ = in_.take(in_.number(1));
      check_damage(!block_.empty(), in_.file, "a GIF picture whose data ends early");
      value_ |= size_t{block_[0]} << held_;
      block_ = block_.subspan(1);
      held_ += 8;
    }
    const size_t code = value_ & ((size_t{1} << bits) - 1);
    value_ >>= bits;
    held_ -= bits;
    return code;
  }

 private:
  Cursor& in_;
  std::span<const uint8_t> block_;
  size_t value_ = 0;
  int held_ = 0;
};

// LZW: each code stands for a string of pixels; each new string is the last one and the first pixel of this one.
std::vector<uint8_t> unpack(Cursor& in, size_t count) {
  const auto first_bits = static_cast<int>(in.number(1));
  check_damage(first_bits >= 1 && first_bits <= 8, in.file, "a GIF picture with wrong codes");
  const size_t clear = size_t{1} << first_bits, end = clear + 1;
  std::array<uint16_t, 4096> before{};  // the string without its last pixel, as a code
  std::array<uint8_t, 4096> pixel{}, reversed{};
  for (size_t i = 0; i < clear; ++i) pixel[i] = static_cast<uint8_t>(i);
  std::vector<uint8_t> out;
  out.reserve(count);
  Codes codes(in);
  size_t known = end + 1, last = end;  // end: there is no last string
  int bits = first_bits + 1;
  while (out.size() < count) {
    const size_t code = codes.next(bits);
    if (code == clear) {
      known = end + 1;
      last = end;
      bits = first_bits + 1;
      continue;
    }
    check_damage(code != end, in.file, "a GIF picture whose data ends early");
    check_damage(code < known || (code == known && last != end && known < 4096), in.file, "a GIF picture with wrong codes");
    size_t length = 0, from = code;
    if (code == known) {  // the string that this very code makes known: the last one and its own first pixel
      length = 1;
      from = last;
    }
    for (; from > end; from = before[from]) reversed[length++] = pixel[from];
    reversed[length++] = pixel[from];
    if (code == known) reversed[0] = pixel[from];
    if (last != end && known < 4096) {
      before[known] = static_cast<uint16_t>(last);
      pixel[known++] = pixel[from];
      if (known == size_t{1} << bits && bits < 12) ++bits;
    }
    last = code;
    for (; length > 0 && out.size() < count; --length) out.push_back(reversed[length - 1]);
  }
  return out;
}

std::span<const uint8_t> read_palette(Cursor& in, size_t flags) {
  return flags & 0x80 ? in.take(size_t{3} << ((flags & 7) + 1)) : std::span<const uint8_t>();
}

}  // namespace

Rows decode_gif(const Encoded& file) {
  Cursor in{file, 6};
  size_t width = in.number(2), height = in.number(2);
  const size_t screen = in.number(1);
  in.take(2);  // background, aspect
  std::span<const uint8_t> palette = read_palette(in, screen);
  size_t ground = 0;  // what lies around a picture that is smaller than the screen: Pillow's choice
  for (size_t kind = in.number(1); kind != 0x2c; kind = in.number(1)) {
    check_damage(kind == 0x21, file, "a GIF file without a picture");
    const size_t label = in.number(1);
    for (size_t length = in.number(1); length > 0; length = in.number(1)) {
      const std::span<const uint8_t> block = in.take(length);
      if (label == 0xf9 && length >= 4 && block[0] & 1) ground = block[3];  // the transparent colour
    }
  }
  const size_t left = in.number(2), top = in.number(2), columns = in.number(2), lines = in.number(2), flags = in.number(1);
  if (flags & 0x80) palette = read_palette(in, flags);
  check_damage(columns > 0 && lines > 0, file, "an empty GIF picture");
  width = std::max(width, left + columns);
  height = std::max(height, top + lines);
  Rows rows = make_rows(file, static_cast<int64_t>(width), static_cast<int64_t>(height), static_cast<int64_t>(columns * lines));
  const std::vector<uint8_t> pixels = unpack(in, columns * lines);
  bool missing = false;
  const auto paint = [&](uint8_t* out, size_t index) {
    if (palette.empty()) {
      std::fill(out, out + 3, static_cast<uint8_t>(index));  // no palette at all: grey
    } else if (3 * index < palette.size()) {
      std::copy_n(palette.begin() + static_cast<int64_t>(3 * index), 3, out);
    } else {
      missing = true;  // stays black
    }
  };
  uint8_t* const rgb = rows.rgb.get();
  if (columns * lines < width * height) {  // one line of ground, then copies
    for (size_t x = 0; x < width; ++x) paint(rgb + 3 * x, ground);
    for (size_t y = 1; y < height; ++y) std::copy_n(rgb, 3 * width, rgb + 3 * width * y);
  }
  // Interlaced lines: every eighth, those in the middle of two, and so on.
  static constexpr std::array<std::array<size_t, 2>, 4> kPasses = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  const bool interlaced = flags & 0x40;
  size_t next = 0;
  for (const auto& [first, step] : kPasses) {
    for (size_t y = first; y < lines; y += interlaced ? step : 1)
      for (size_t x = 0; x < columns; ++x) paint(rgb + 3 * ((top + y) * width + left + x), pixels[next++]);
    if (!interlaced) break;
  }
  rows.warnings += missing;
  return rows;
}

}  // namespace hv::data
