#include "data/image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/check.h"
#include "data/files.h"
#include "data/jpeg.h"

namespace {

constexpr size_t kDecoderBytes = size_t{512} << 20;

// The decoder's memory is counted, and an allocation beyond the limit fails, so that a small hostile file cannot use up the
// machine's memory. Each block begins with its size.
thread_local size_t decoder_bytes = 0;
constexpr size_t kBlockHead = alignof(std::max_align_t);

void* decoder_alloc(size_t size) {
  if (size > kDecoderBytes - decoder_bytes) return nullptr;
  auto* block = static_cast<unsigned char*>(std::malloc(size + kBlockHead));
  if (!block) return nullptr;
  std::memcpy(block, &size, sizeof size);
  decoder_bytes += size;
  return block + kBlockHead;
}

void decoder_free(void* pointer) {
  if (!pointer) return;
  unsigned char* block = static_cast<unsigned char*>(pointer) - kBlockHead;
  size_t size;
  std::memcpy(&size, block, sizeof size);
  decoder_bytes -= size;
  std::free(block);
}

void* decoder_realloc(void* pointer, size_t old_size, size_t size) {
  void* grown = decoder_alloc(size);
  if (grown && pointer) std::memcpy(grown, pointer, std::min(old_size, size));
  if (grown) decoder_free(pointer);
  return grown;
}

}  // namespace

#define STBI_MALLOC(size) decoder_alloc(size)
#define STBI_REALLOC_SIZED(pointer, old_size, size) decoder_realloc(pointer, old_size, size)
#define STBI_FREE(pointer) decoder_free(pointer)
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS 8192
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
// Warnings in the code of these libraries are ignored.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace hv::data {
namespace {

constexpr int64_t kMaxFile = int64_t{64} << 20, kMaxSide = 8192, kMaxPixels = 40'000'000;

bool begins_with(std::span<const uint8_t> bytes, std::span<const uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

// One dimension of a resize: result i is a weighted sum of source[first[i] ...], weights adding up to 1.
struct Taps {
  std::vector<int64_t> first;
  std::vector<std::vector<double>> weights;
};
Taps make_taps(int64_t from, int64_t to) {
  Taps taps;
  const double scale = static_cast<double>(from) / static_cast<double>(to), support = std::max(scale, 1.0);
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    // NOLINTBEGIN(bugprone-incorrect-roundings): the pixel whose centre is the first inside, and the first beyond
    const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t end = std::min(from, static_cast<int64_t>(centre + support + 0.5));
    // NOLINTEND(bugprone-incorrect-roundings)
    std::vector<double> weights;
    double sum = 0;
    for (int64_t j = begin; j < end; ++j) {
      weights.push_back(std::max(0.0, 1.0 - std::abs((static_cast<double>(j) + 0.5 - centre) / support)));
      sum += weights.back();
    }
    for (double& w : weights) w /= sum;
    taps.first.push_back(begin);
    taps.weights.push_back(std::move(weights));
  }
  return taps;
}

}  // namespace

std::string picture_format(std::span<const uint8_t> first_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(first_bytes.data()), first_bytes.size());
  if (text.starts_with("\x89PNG\r\n\x1a\n")) return "png";
  if (text.starts_with("\xff\xd8\xff")) return "jpeg";
  if (text.starts_with("RIFF") && text.substr(std::min<size_t>(8, text.size())).starts_with("WEBP")) return "webp";
  if (text.starts_with("BM")) return "bmp";
  return text.starts_with("GIF8") ? "gif" : "";
}

Image decode_image(std::span<const uint8_t> bytes, const std::string& name) {
  static constexpr std::array<uint8_t, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  static constexpr std::array<uint8_t, 3> kJpeg = {0xff, 0xd8, 0xff};
  HV_CHECK_INPUT(begins_with(bytes, kPng) || begins_with(bytes, kJpeg), name,
                 ": neither a PNG nor a JPEG picture (by its first bytes): convert it to one of them");
  HV_CHECK_INPUT(static_cast<int64_t>(bytes.size()) <= kMaxFile, name, ": image file too large: ", bytes.size(),
                 " bytes, at most ", kMaxFile, " are accepted");
  if (begins_with(bytes, kJpeg)) return decode_jpeg(bytes, name);
  const auto* data = bytes.data();
  const int length = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  HV_CHECK_INPUT(stbi_info_from_memory(data, length, &width, &height, &channels), name,
                 ": damaged image: ", stbi_failure_reason(), ": replace the file");
  check_picture_size(width, height, name);
  const std::unique_ptr<uint8_t, void (*)(void*)> rgb(stbi_load_from_memory(data, length, &width, &height, &channels, 3),
                                                      decoder_free);
  HV_CHECK_INPUT(rgb, name, ": damaged image: ", stbi_failure_reason(), ": replace the file");
  return planes_from_rgb({rgb.get(), size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(height)}, height, width);
}

void check_picture_size(int64_t width, int64_t height, const std::string& name) {
  HV_CHECK_INPUT(width <= kMaxSide && height <= kMaxSide && width * height <= kMaxPixels, name, ": picture too large: ", width,
                 " x ", height, ", at most ", kMaxSide, " a side and ", kMaxPixels, " pixels are accepted: shrink it");
}

Image planes_from_rgb(std::span<const uint8_t> rgb, int64_t height, int64_t width) {
  const auto plane = static_cast<size_t>(width) * static_cast<size_t>(height);
  Image image{height, width, std::vector<uint8_t>(3 * plane)};
  for (size_t i = 0; i < plane; ++i)
    for (size_t c = 0; c < 3; ++c) image.chw[c * plane + i] = rgb[3 * i + c];
  return image;
}

Image load_image(const std::string& path) { return decode_image(read_small(path, kMaxFile), path); }

Image resize_image(const Image& image, int64_t height, int64_t width) {
  HV_CHECK(image.height > 0 && image.width > 0 && height > 0 && width > 0, "resize_image: empty picture: ", image.height, " x ",
           image.width, " to ", height, " x ", width);
  if (height == image.height && width == image.width) return image;
  const Taps columns = make_taps(image.width, width), rows = make_taps(image.height, height);
  // First a weighted sum over source rows, then one over its columns; one line of temporaries is enough.
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(3 * height * width))};
  std::vector<double> line(static_cast<size_t>(image.width));
  uint8_t* result = out.chw.data();
  for (int64_t c = 0; c < 3; ++c)
    for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
      std::fill(line.begin(), line.end(), 0.0);
      for (size_t j = 0; j < rows.weights[y].size(); ++j) {
        const uint8_t* source = image.chw.data() + (c * image.height + rows.first[y] + static_cast<int64_t>(j)) * image.width;
        for (size_t x = 0; x < line.size(); ++x) line[x] += rows.weights[y][j] * source[x];
      }
      for (size_t x = 0; x < static_cast<size_t>(width); ++x) {
        double sum = 0.5;
        for (size_t j = 0; j < columns.weights[x].size(); ++j)
          sum += columns.weights[x][j] * line[static_cast<size_t>(columns.first[x]) + j];
        *result++ = static_cast<uint8_t>(std::clamp(sum, 0.0, 255.0));
      }
    }
  return out;
}

Image resize_and_crop(const Image& image, int64_t size) {
  const int64_t shorter = std::min(image.height, image.width);
  HV_CHECK(shorter > 0 && size > 0, "resize_and_crop: empty picture");
  // The middle square is cut out first, so that nothing outside it is resized.
  const int64_t top = (image.height - shorter) / 2, left = (image.width - shorter) / 2;
  Image square{shorter, shorter, std::vector<uint8_t>(static_cast<size_t>(3 * shorter * shorter))};
  for (int64_t row = 0; row < 3 * shorter; ++row) {
    const int64_t c = row / shorter, y = row % shorter + top;
    std::memcpy(square.chw.data() + row * shorter, image.chw.data() + (c * image.height + y) * image.width + left,
                static_cast<size_t>(shorter));
  }
  return resize_image(square, size, size);
}

std::vector<uint8_t> encode_png(const Image& image) {
  const auto plane = static_cast<size_t>(image.height * image.width);
  HV_CHECK(plane > 0 && image.chw.size() == 3 * plane, "encode_png: empty picture");
  std::vector<uint8_t> rgb(3 * plane), png;
  for (size_t i = 0; i < plane; ++i)
    for (size_t c = 0; c < 3; ++c) rgb[3 * i + c] = image.chw[c * plane + i];
  const auto append = [](void* out, void* data, int size) {
    const auto* bytes = static_cast<uint8_t*>(data);
    static_cast<std::vector<uint8_t>*>(out)->insert(static_cast<std::vector<uint8_t>*>(out)->end(), bytes, bytes + size);
  };
  HV_CHECK(stbi_write_png_to_func(append, &png, static_cast<int>(image.width), static_cast<int>(image.height), 3, rgb.data(),
                                  static_cast<int>(3 * image.width)),
           "encode_png: out of memory");
  return png;
}

void write_png(const std::string& path, const Image& image) { write_file(path, encode_png(image)); }

Image mosaic(const std::vector<Image>& images, int64_t columns) {
  HV_CHECK(!images.empty() && columns > 0, "mosaic: no pictures");
  const int64_t h = images[0].height, w = images[0].width;
  const auto count = static_cast<int64_t>(images.size());
  const int64_t rows = (count + columns - 1) / columns;
  Image out{rows * (h + 1) + 1, columns * (w + 1) + 1, {}};
  out.chw.resize(static_cast<size_t>(3 * out.height * out.width));
  for (int64_t i = 0; i < count; ++i) {
    const Image& image = images[static_cast<size_t>(i)];
    HV_CHECK(image.height == h && image.width == w, "mosaic: pictures differ in size");
    const int64_t top = i / columns * (h + 1) + 1, left = i % columns * (w + 1) + 1;
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 0; y < h; ++y)
        std::memcpy(out.chw.data() + (c * out.height + top + y) * out.width + left, image.chw.data() + (c * h + y) * w,
                    static_cast<size_t>(w));
  }
  return out;
}

}  // namespace hv::data
