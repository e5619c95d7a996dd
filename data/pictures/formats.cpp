// Formats by their first bytes.
#include <array>
#include <string_view>

#include "data/image.h"
#include "data/pictures/decoders.h"

namespace hv::data {
namespace {

using Bytes = std::span<const uint8_t>;

bool has(Bytes bytes, size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()) + at, magic.size()) == magic;
}

// "BM" alone begins many a text; the size of the header that follows tells them apart.
bool is_bmp(Bytes bytes) {
  constexpr std::array<uint8_t, 7> kHeaders = {12, 40, 52, 56, 64, 108, 124};
  bool known = false;
  for (const uint8_t size : kHeaders) known = known || (bytes.size() > 14 && bytes[14] == size);
  return known && has(bytes, 0, "BM") && has(bytes, 15, std::string_view("\0\0\0", 3));
}

struct Format {
  const char* name;
  Decode decode;
  bool (*matches)(Bytes);
};
constexpr Format kFormats[] = {
    {"PNG", decode_png, [](Bytes b) { return has(b, 0, "\x89PNG\r\n\x1a\n"); }},
    {"JPEG", decode_jpeg, [](Bytes b) { return has(b, 0, "\xff\xd8\xff"); }},
    {"WebP", decode_webp, [](Bytes b) { return has(b, 0, "RIFF") && has(b, 8, "WEBP"); }},
    {"GIF", decode_gif, [](Bytes b) { return has(b, 0, "GIF87a") || has(b, 0, "GIF89a"); }},
    {"BMP", decode_bmp, is_bmp},
};

const Format* format_of(Bytes bytes) {
  for (const Format& format : kFormats)
    if (format.matches(bytes)) return &format;
  return nullptr;
}

}  // namespace

std::string picture_format(Bytes first) {
  const Format* format = format_of(first);
  return format ? format->name : "";
}

Decode decoder_of(Bytes bytes) {
  const Format* format = format_of(bytes);
  return format ? format->decode : nullptr;
}

const char* foreign_format(Bytes first) {
  if (has(first, 4, "ftypavi")) return "AVIF";
  if (has(first, 4, "ftyphei") || has(first, 4, "ftyphev") || has(first, 4, "ftypmif1")) return "HEIC";
  if (has(first, 0, std::string_view("II*\0", 4)) || has(first, 0, std::string_view("MM\0*", 4))) return "TIFF or raw";
  if (has(first, 0, "\xff\x0a") || has(first, 4, "JXL \r\n")) return "JPEG XL";
  if (has(first, 4, "jP  \r\n") || has(first, 0, "\xff\x4f\xff\x51")) return "JPEG 2000";
  if (has(first, 0, "8BPS")) return "Photoshop";
  return "";
}

}  // namespace hv::data
