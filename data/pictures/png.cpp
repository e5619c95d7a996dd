// PNG through libpng.
#include <png.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "data/pictures/decoders.h"
#include "data/pictures/guard.h"

namespace hv::data {
namespace {

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // what lies behind checksums is fuzzed, too
constexpr int kWrongSum = PNG_CRC_QUIET_USE;
#else
constexpr int kWrongSum = PNG_CRC_ERROR_QUIT;
#endif

struct Reader {
  std::span<const uint8_t> left;
  bool past_end = false;
  int64_t warnings = 0;
  int passes = 1;  // over the rows, if interlaced
  Guard guard{};
  png_structp png = nullptr;
  png_infop info = nullptr;

  explicit Reader(std::span<const uint8_t> bytes) : left(bytes) {}
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

void refuse(png_structp png, png_const_charp why) { leave(static_cast<Reader*>(png_get_error_ptr(png))->guard, why); }

// Of the stream of pixels, only what follows after all pixels is passed over; its checksum, for example, is not.
void warn(png_structp png, png_const_charp why) {
  const std::string_view text = why;
  if (text.starts_with("IDAT: ") && text != "IDAT: Too much image data" && text != "IDAT: Extra compressed data")
    refuse(png, why);
  ++static_cast<Reader*>(png_get_error_ptr(png))->warnings;
}

// Where a file ends after a whole chunk, the closing chunk is put there; if pixels are missing, libpng finds that out.
void read(png_structp png, png_bytep out, size_t count) {
  static constexpr std::array<uint8_t, 12> kEnd = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
  auto& reader = *static_cast<Reader*>(png_get_io_ptr(png));
  if (reader.left.empty() && !reader.past_end) {
    reader.left = kEnd;
    reader.past_end = true;
    ++reader.warnings;
  }
  if (count > reader.left.size()) png_error(png, "the file is cut short");
  std::memcpy(out, reader.left.data(), count);
  reader.left = reader.left.subspan(count);
}

void start(Reader& reader) {
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, refuse, warn);
  reader.info = reader.png ? png_create_info_struct(reader.png) : nullptr;
  if (!reader.info) leave(reader.guard, "out of memory");
  png_structp png = reader.png;
  png_set_read_fn(png, &reader, read);
  png_set_crc_action(png, kWrongSum, kWrongSum);
  png_set_option(png, PNG_IGNORE_ADLER32, kWrongSum == PNG_CRC_QUIET_USE);
  png_set_chunk_malloc_max(png, kMaxFile);  // photo editors write texts of many megabytes
  // Of the chunks that are not needed for pixels only the checksums are tested.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(png, reader.info);
  // Grey and palettes become RGB, 16 bits keep the high byte, transparency is dropped.
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_palette_to_rgb(png);
  png_set_gray_to_rgb(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  reader.passes = png_set_interlace_handling(png);
  png_read_update_info(png, reader.info);
}

void read_rows(Reader& reader, uint8_t* rgb, int64_t width, int64_t height) {
  for (int pass = 0; pass < reader.passes; ++pass)
    for (int64_t y = 0; y < height; ++y) png_read_row(reader.png, rgb + 3 * width * y, nullptr);
  png_read_end(reader.png, nullptr);
}

// The content of the first chunk of a type, or nothing. libpng 1.6.39 would allocate whatever length the chunk names.
std::span<const uint8_t> find_chunk(std::span<const uint8_t> png, std::string_view type) {
  for (size_t at = 8; at + 12 <= png.size();) {  // length, type, content, checksum
    const size_t length = png_get_uint_32(png.data() + at);
    if (length > png.size() - at - 12) break;
    if (std::equal(type.begin(), type.end(), png.begin() + static_cast<int64_t>(at + 4))) return png.subspan(at + 8, length);
    at += 12 + length;
  }
  return {};
}

}  // namespace

Rows decode_png(const Encoded& file) {
  // Xcode's PNG has red and blue exchanged, alpha multiplied in, and a stream without header and checksum.
  constexpr std::string_view kApple = "CgBI";
  HV_CHECK_INPUT(
      file.bytes.size() < 16 || !std::equal(kApple.begin(), kApple.end(), file.bytes.begin() + 12), file.name,
      ": unsupported image: a CgBI PNG, which Xcode makes for iPhones and only Apple's programs read: convert it with "
      "xcrun -sdk iphoneos pngcrush -revert-iphone-optimizations IN OUT");
  Reader reader(file.bytes);
  const auto run = [&](const auto& step) {
    if (guarded(reader.guard, step)) return;
    const std::string_view why = reader.guard.text;  // a chunk that some other program made, and that changes the picture
    check_support(!why.ends_with("unhandled critical chunk"), file, reader.guard.text);
    check_damage(false, file, reader.guard.text);
  };
  run([&] { start(reader); });
  const auto width = static_cast<int64_t>(png_get_image_width(reader.png, reader.info));
  const auto height = static_cast<int64_t>(png_get_image_height(reader.png, reader.info));
  Rows rows = make_rows(file, width, height);
  HV_CHECK(png_get_rowbytes(reader.png, reader.info) == static_cast<size_t>(3 * width),
           "png: libpng makes rows of another size");
  run([&] { read_rows(reader, rows.rgb.get(), width, height); });
  rows.warnings = reader.warnings;
  const std::span<const uint8_t> exif = find_chunk(file.bytes, "eXIf");
  if (!exif.empty()) read_exif(exif, rows);
  return rows;
}

}  // namespace hv::data
